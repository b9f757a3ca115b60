// Has the browser optimise Python's interpreter before there is any Python.
//
// The interpreter is one large function. Browsers give a function plain code first, and better code
// once it has been busy. For the better code Chromium's V8 bets that indirect calls go on leading
// where they have led so far. While Python starts it loses that bet again and again: each type that
// is new to an instruction has it throw the code away, go back to the plain code, and compile anew.
//
// So the interpreter is busy here before it has called anything: there is nothing to bet on, the
// better code is made once, and while the runtime is still being put together. What it runs is a
// frame that does nothing but leave. Other browsers lose nothing by it.

const CALLS = 400

// Of CPython 3.12: words of a _PyInterpreterFrame, and the instruction that leaves the interpreter.
const FRAME = {previousInstruction: 7, stackTop: 8, locals: 10}
const INTERPRETER_EXIT = 3

// In words. Beyond the zeros memory is read too, but what stands there is not used.
const SIZE = {state: 128, frame: 16, code: 4, zeros: 64}

// Takes a runtime that was linked and not started, and what it was linked with. Returns whether the
// interpreter did what was expected of it. What was put into its stack is zero again afterwards.
export function optimise({exports}, {env}) {
  try {
    const before = exports.emscripten_stack_get_current()
    const total = Object.values(SIZE).reduce((sum, size) => sum + size)
    const at = exports._emscripten_stack_alloc(4 * total)
    const words = new Int32Array(env.memory.buffer, at, total)
    try {
      return leaves(words, at, exports._PyEval_EvalFrameDefault)
    } finally {
      words.fill(0)
      exports._emscripten_stack_restore(before)
    }
  } catch {
    return false
  }
}

function leaves(words, at, interpret) {
  const frame = SIZE.state
  const code = frame + SIZE.frame
  const [frameAt, codeAt, zerosAt] = [frame, code, code + SIZE.code].map((word) => at + 4 * word)
  words.fill(0)
  words[code] = INTERPRETER_EXIT
  for (let call = 1; call <= CALLS; call += 1) {
    // As pointers they lead to zeros, and as counters they are far from their end.
    words.fill(zerosAt, 0, SIZE.state)
    words[frame + FRAME.previousInstruction] = codeAt - 2
    words[frame + FRAME.stackTop] = 1
    words[frame + FRAME.locals] = call
    if (interpret(at, frameAt, 0) !== call) return false
  }
  return true
}
