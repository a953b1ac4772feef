import Datapath
import Glibc

exit(DatapathProcess.run(arguments: Array(CommandLine.arguments.dropFirst())))
