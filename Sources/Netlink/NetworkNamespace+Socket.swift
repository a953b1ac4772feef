import CLinux
import Glibc

extension NetworkNamespace {
    /// The namespace that a socket belongs to (ioctl SIOCGSKNS): how a namespace without a name is found again. Nil for
    /// descriptors that are not sockets, and without privilege over the namespace.
    public convenience init?(ofSocket socket: Int32) {
        let descriptor = linux_socket_namespace(socket)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        self.init(descriptor: descriptor, name: nil)
    }
}
