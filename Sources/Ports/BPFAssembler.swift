/// One instruction of the kernel's virtual machine (Documentation/bpf/standardization/instruction-set.rst), as it is loaded.
struct BPFInstruction: Equatable {
    var code: UInt8
    /// Destination in the low four bits, source in the high ones.
    var registers: UInt8
    var offset: Int16
    var immediate: Int32
}

/// Registers by their use: 0 is a call's result, 1 to 5 its arguments, 6 to 9 survive it, 10 is the end of the stack.
enum BPFRegister: UInt8 {
    case r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
}

/// Puts a program together. Jumps go forward only, to labels that are placed later.
struct BPFAssembler<Label: Hashable> {
    private(set) var instructions: [BPFInstruction] = []
    private var jumps: [(at: Int, to: Label)] = []
    private var places: [Label: Int] = [:]

    enum Width: UInt8 {
        case byte = 0x10
        case half = 0x08
        case word = 0x00
    }

    private mutating func emit(_ code: UInt8, _ to: BPFRegister, _ from: BPFRegister, _ offset: Int16, _ value: Int32) {
        instructions.append(
            BPFInstruction(
                code: code,
                registers: to.rawValue | from.rawValue << 4,
                offset: offset,
                immediate: value
            )
        )
    }

    mutating func move(_ to: BPFRegister, _ from: BPFRegister) { emit(0xBF, to, from, 0, 0) }
    mutating func move(_ to: BPFRegister, _ value: Int32) { emit(0xB7, to, .r0, 0, value) }
    mutating func add(_ to: BPFRegister, _ value: Int32) { emit(0x07, to, .r0, 0, value) }
    mutating func add(_ to: BPFRegister, _ from: BPFRegister) { emit(0x0F, to, from, 0, 0) }
    mutating func subtract(_ to: BPFRegister, _ from: BPFRegister) { emit(0x1F, to, from, 0, 0) }
    mutating func and(_ to: BPFRegister, _ value: Int32) { emit(0x57, to, .r0, 0, value) }
    mutating func or(_ to: BPFRegister, _ value: Int32) { emit(0x47, to, .r0, 0, value) }
    mutating func or(_ to: BPFRegister, _ from: BPFRegister) { emit(0x4F, to, from, 0, 0) }
    mutating func shiftLeft(_ to: BPFRegister, _ bits: Int32) { emit(0x67, to, .r0, 0, bits) }
    mutating func shiftRight(_ to: BPFRegister, _ bits: Int32) { emit(0x77, to, .r0, 0, bits) }
    mutating func call(_ helper: Int32) { emit(0x85, .r0, .r0, 0, helper) }
    mutating func exit() { emit(0x95, .r0, .r0, 0, 0) }

    /// Loads from memory, in the processor's order.
    mutating func load(_ width: Width, _ to: BPFRegister, _ from: BPFRegister, _ offset: Int16) {
        emit(0x61 | width.rawValue, to, from, offset, 0)
    }

    mutating func jump(to label: Label) {
        jumps.append((instructions.count, label))
        emit(0x05, .r0, .r0, 0, 0)
    }

    mutating func jump(if register: BPFRegister, is value: Int32, to label: Label) {
        jumps.append((instructions.count, label))
        emit(0x15, register, .r0, 0, value)
    }

    mutating func jump(if register: BPFRegister, isNot value: Int32, to label: Label) {
        jumps.append((instructions.count, label))
        emit(0x55, register, .r0, 0, value)
    }

    /// Names the place of the next instruction.
    mutating func place(_ label: Label) { places[label] = instructions.count }

    /// The program, with its jumps filled in.
    ///
    /// - Precondition: every label has been placed behind the jumps to it.
    func finished() -> [BPFInstruction] {
        var finished = instructions
        for (at, label) in jumps {
            guard let place = places[label], place > at else { preconditionFailure("no place for the label \(label)") }
            finished[at].offset = Int16(place - at - 1)
        }
        return finished
    }
}
