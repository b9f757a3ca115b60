// A started Python as it lies in memory, kept in the browser's own store: the next visit goes on
// from there, and neither imports nor builds anything.
//
// Pyodide can do this for itself alone (makeMemorySnapshot). With compiled packages three things
// are missing, which are added here: where each of them was linked, so that it is linked there
// again; the files that were written; and the clock, which goes on.

const STORE = "flockpit-memory-"
const PLACES = {memory: "memory/memory.bin", state: "memory/state.json"}
const PACKAGES = "/lib/python3.12/site-packages"
const BLOCK = 1 << 16

// ------------------------------------------------------------------ the store

// What was kept of this version of the site; null if nothing was, or where nothing can be.
export async function find(version) {
  if (!globalThis.caches || !(await caches.has(STORE + version))) return null
  const cache = await caches.open(STORE + version)
  const [state, memory] = await Promise.all([cache.match(PLACES.state), cache.match(PLACES.memory)])
  if (!state || !memory) return null
  const bytes = memory.arrayBuffer()
  bytes.catch(() => {})
  return {state: await state.json(), bytes}
}

export async function keep(version, {state, parts}) {
  const cache = await caches.open(STORE + version)
  await cache.put(PLACES.memory, new Response(new Blob(parts)))
  // Last: where it is there, the rest is.
  await cache.put(PLACES.state, new Response(JSON.stringify(state)))
}

export async function forget(version) {
  await globalThis.caches?.delete(STORE + version)
}

// ------------------------------------------------------------------ taking one

// An image of Python's memory; more is added to its state. Nothing of Python may be under way.
export function take(python, more) {
  const module = python._module
  const parts = []
  let size = 0
  const add = (bytes) => {
    parts.push(bytes)
    size += bytes.length
    return {offset: size - bytes.length, size: bytes.length}
  }
  const heap = module.HEAPU8
  const runs = filled(heap).map(([from, to]) => ({at: from, ...add(heap.slice(from, to))}))
  const {fs, libraries} = {fs: module.FS, libraries: loaded(module)}
  const state = {
    ...more,
    heap: heap.length,
    clock: performance.now(),
    runs,
    libraries: libraries.map((library) => ({...library, ...add(fs.readFile(library.name))})),
    files: written(fs, PACKAGES)
      .filter((path) => !module.LDSO.loadedLibsByName[path])
      .map((path) => ({path, ...add(fs.readFile(path))})),
    references: references(module, python._api),
  }
  return {state, parts}
}

// Where memory holds anything, in blocks.
function filled(heap) {
  const words = new Int32Array(heap.buffer)
  const runs = []
  let from = -1
  for (let at = 0; at < heap.length; at += BLOCK) {
    let word = at >> 2
    const end = word + (BLOCK >> 2)
    while (word < end && words[word] === 0) word += 1
    if (word < end && from < 0) from = at
    if (word === end && from >= 0) {
      runs.push([from, at])
      from = -1
    }
  }
  if (from >= 0) runs.push([from, heap.length])
  return runs
}

// Compiled packages in the order in which they were linked, and where: the linker's own notes.
function loaded(module) {
  return Object.entries(module.LDSO.loadedLibsByHandle)
    .filter(([handle]) => Number(handle))
    .map(([handle, {name, global}]) => ({handle: Number(handle), name, global}))
    .sort((one, other) => tableBase(module, one) - tableBase(module, other))
}

function tableBase(module, {handle}) {
  return module.HEAPU32[(handle + 20) >> 2]
}

function written(fs, folder) {
  return fs
    .readdir(folder)
    .filter((name) => name !== "." && name !== "..")
    .map((name) => `${folder}/${name}`)
    .flatMap((path) => (fs.isDir(fs.stat(path).mode) ? written(fs, path) : [path]))
}

// What of JavaScript Python holds: only what a worker has by name can be found again.
function references(module, api) {
  const names = new Map(
    Object.getOwnPropertyNames(globalThis).map((name) => [globalThis[name], name]),
  )
  const hiwireKeys = []
  for (let index = api.getExpectedKeys().length; ; index += 1) {
    let value
    try {
      value = module.__hiwire_get(index)
    } catch {
      break
    }
    if (value === null) hiwireKeys.push(null)
    else if (value === globalThis) hiwireKeys.push({path: []})
    else if (names.has(value)) hiwireKeys.push({path: [names.get(value)]})
    else if (String(value).includes("Object.fromEntries(entries)")) {
      hiwireKeys.push({serialized: "fromEntries"})
    } else throw new Error(`Python holds ${String(value).slice(0, 80)}, which cannot be kept`)
  }
  return {hiwireKeys, immortalKeys: immortal(module)}
}

function immortal(module) {
  const texts = []
  // The first few are put there by the runtime itself.
  for (let index = 6; ; index += 1) {
    try {
      texts.push(module.__hiwire_immortal_get(index))
    } catch {
      return texts
    }
  }
}

// ------------------------------------------------------------------ going on from one

// Like loadPyodide, whose options it takes, but with the memory of an image.
export async function restored(loadPyodide, options, image) {
  const {state} = image
  const bytes = new Uint8Array(await image.bytes)
  const part = ({offset, size}) => bytes.subarray(offset, offset + size)
  const compiled = Promise.all(state.libraries.map((file) => WebAssembly.compile(part(file))))
  goOn(state.clock)
  const create = globalThis._createPyodideModule
  globalThis._createPyodideModule = async (settings) => {
    const module = await create({...settings, INITIAL_MEMORY: state.heap})
    const packages = await compiled
    settings.API.restoreSnapshot = () => {
      // What is linked overwrites its own data, and is told where it lay.
      remember(module.HEAPU8, state.runs, part)
      state.libraries.forEach((library, index) => link(module, library, packages[index]))
      remember(module.HEAPU8, state.runs, part)
      for (const file of state.files) put(module.FS, file.path, part(file))
      return state.references
    }
    return module
  }
  return loadPyodide({
    ...options,
    _loadSnapshot: new Uint8Array(1),
    _snapshotDeserializer: () => fromEntries,
  })
}

function fromEntries(entries) {
  for (const entry of entries) if (entry[1] === undefined) entry[1] = null
  return Object.fromEntries(entries)
}

function remember(heap, runs, part) {
  let end = 0
  for (const run of runs) {
    heap.fill(0, end, run.at)
    heap.set(part(run), run.at)
    end = run.at + run.size
  }
}

function link(module, {handle, name, global}, code) {
  const flags = {loadAsync: false, nodelete: true, global}
  const exports = module.loadWebAssemblyModule(code, flags, name, global ? null : {}, handle)
  const library = {name, refcount: Infinity, global, exports}
  module.LDSO.loadedLibsByName[name] = library
  module.LDSO.loadedLibsByHandle[handle] = library
}

function put(fs, path, content) {
  fs.mkdirTree(path.slice(0, path.lastIndexOf("/")))
  fs.writeFile(path, content)
}

// Times that Python remembers lie in the past.
function goOn(clock) {
  const now = performance.now.bind(performance)
  const ahead = clock - now()
  performance.now = () => now() + ahead
}
