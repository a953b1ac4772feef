import Glibc

// Drives the datapath's code without descriptors, for `.ci/check-instructions` and the benchmarks; not part of what
// ships.
//
//     sluice-journeys count BURSTS                   each journey, for callgrind; prints frames and name
//     sluice-journeys scale SEGMENTS MACS ROUNDS     nanoseconds per frame, small and large, a line a round

let words = CommandLine.arguments
let numbers = words.dropFirst(2).compactMap { Int($0) }
do {
    switch (words.dropFirst().first, numbers.count) {
    case ("count", 1): try Journeys.run(bursts: numbers[0])
    case ("scale", 3): try Scale.run(segments: numbers[0], macs: numbers[1], rounds: numbers[2])
    default:
        print("usage: sluice-journeys count BURSTS | scale SEGMENTS MACS ROUNDS")
        exit(2)
    }
} catch {
    print(error)
    exit(1)
}
