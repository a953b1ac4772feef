/// How the receive rings of packet sockets are laid out. Their memory is the kernel's, and is taken when a port is made.
public enum PacketRingLayout {
    /// Bytes of a slot: headers of the kernel's and a frame of up to some 160 bytes.
    public static let slotSize = 256
    /// Enough for some milliseconds in which nobody reads.
    public static let slotCount = 4096
    public static let size = slotSize * slotCount
    /// How many a datapath makes: 128 MiB. Packet sockets beyond are read by calls.
    public static let most = 128
}
