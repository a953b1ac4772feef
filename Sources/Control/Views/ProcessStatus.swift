/// The two processes of a switch and what they run by.
public struct ProcessStatus: Codable, Sendable, Equatable {
    public var host: String
    public var version: String
    /// The file that the switch was last told to follow.
    public var config: String
    public var controlPID: Int32
    /// Nil while there is no datapath.
    public var datapathPID: Int32?
    /// Whole seconds since the control process began.
    public var uptime: Int
    /// Whole seconds since the datapath began; nil while there is none.
    public var datapathUptime: Int?
    /// How often a datapath had to be started again.
    public var datapathRestarts: Int
    /// Forwarding threads of the datapath.
    public var workers: Int

    public init(
        host: String,
        version: String,
        config: String,
        controlPID: Int32,
        datapathPID: Int32?,
        uptime: Int,
        datapathUptime: Int? = nil,
        datapathRestarts: Int,
        workers: Int = 1
    ) {
        self.host = host
        self.version = version
        self.config = config
        self.controlPID = controlPID
        self.datapathPID = datapathPID
        self.uptime = uptime
        self.datapathUptime = datapathUptime
        self.datapathRestarts = datapathRestarts
        self.workers = workers
    }
}
