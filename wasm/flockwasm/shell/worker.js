// Runs Python beside the page: fetches the runtime, checks every byte of it, starts the cockpit, and
// carries messages between the two. A module worker, from a file of its own: no eval on the page.

import {optimise} from "./boot/eager.js"
import {find, forget, keep, restored, take} from "./boot/image.js"

const HERE = new URL("./", import.meta.url)
const SITE = "/lib/python3.12/site-packages"
const LOCK = "pyodide/pyodide-lock.json"
const LIBRARY = "pyodide/python_stdlib.zip"
const WASM = "application/wasm"
const PART = {least: 1 << 16, most: 1 << 21, slow: 2000}
const native = self.fetch.bind(self)
const link = WebAssembly.instantiateStreaming

let python = null
let cockpit = null
let image = null
let absent = null
let lost = null
let starting = null

function tell(kind, content = {}) {
  self.postMessage({kind, ...content})
}

// ------------------------------------------------------------------ files

class FileFault extends Error {}

function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

function base64(hexadecimal) {
  const bytes = hexadecimal.match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16)))
  return btoa(bytes.join(""))
}

// Where the page is not served securely the browser lends no SHA-256, but checks one while fetching.
async function answer(file) {
  const options = {priority: file.phase === "runtime" ? "high" : "low"}
  if (!self.crypto?.subtle) options.integrity = `sha256-${base64(await file.hash())}`
  let response
  try {
    response = await native(new URL(file.path, HERE), options)
  } catch (error) {
    throw new FileFault(`${file.path} cannot be fetched, or is damaged (${error.message}).`)
  }
  if (!response.ok) {
    throw new FileFault(`${file.path} is missing: the server answers ${response.status}.`)
  }
  return response
}

async function check(file, bytes) {
  if (bytes.byteLength !== file.size) {
    throw new FileFault(
      `${file.path} is damaged: it has ${bytes.byteLength} bytes instead of ${file.size}.`,
    )
  }
  if (!self.crypto?.subtle) return
  if (hex(await self.crypto.subtle.digest("SHA-256", bytes)) !== (await file.hash())) {
    const where = file.sha256 ? "boot/site.json" : LOCK
    throw new FileFault(`${file.path} is damaged: its SHA-256 is not the one in ${where}.`)
  }
}

async function read(file, body, progress) {
  const {bytes, size} = await received(file, body, progress)
  if (size !== file.size) {
    const found = size > file.size ? "more" : `${size}`
    throw new FileFault(`${file.path} is damaged: it has ${found} bytes instead of ${file.size}.`)
  }
  await check(file, bytes)
  return bytes
}

// Waking up for each packet would cost time that Python needs: where the browser fills a buffer, it
// is asked for as much as comes in a while. One byte more than there should be is room to notice.
async function received(file, body, progress) {
  let buffer = new ArrayBuffer(file.size + 1)
  let size = 0
  let part = PART.least
  const reader = filling(body)
  while (reader && size < buffer.byteLength) {
    const began = performance.now()
    const least = Math.min(part, buffer.byteLength - size)
    const {done, value} = await reader.read(new Uint8Array(buffer, size), {min: least})
    buffer = value.buffer
    size += value.length
    progress(value.length)
    if (done) break
    const slow = performance.now() - began > PART.slow
    part = slow ? Math.max(part / 4, PART.least) : Math.min(part * 2, PART.most)
  }
  if (!reader) {
    for await (const value of packets(body)) {
      if (size + value.length < buffer.byteLength) new Uint8Array(buffer).set(value, size)
      size += value.length
      progress(value.length)
    }
  }
  return {bytes: new Uint8Array(buffer, 0, Math.min(size, file.size)), size}
}

function filling(body) {
  try {
    return body.getReader({mode: "byob"})
  } catch {
    return null
  }
}

async function* packets(body) {
  const reader = body.getReader()
  for (;;) {
    const {done, value} = await reader.read()
    if (done) return
    yield value
  }
}

// The browser keeps what it compiles of a response of its own, but not of one that is made here: that
// is for hosts which do not know the type.
function compilable(response) {
  if (response.headers.get("Content-Type") === WASM) return response
  return new Response(response.body, {headers: {"Content-Type": WASM}})
}

class Loader {
  constructor(files) {
    this.files = files
    this.contents = new Map()
    this.counts = new Map()
    for (const file of files) {
      const count = this.counts.get(file.phase) ?? {done: 0, total: 0}
      count.total += file.size
      this.counts.set(file.phase, count)
    }
    this.told = 0
  }

  // All at once: the browser shares the line among them.
  begin() {
    for (const file of this.files) {
      const content = this.fetch({...file, hash: () => this.hash(file)})
      content.catch(() => {})
      this.contents.set(file.path, content)
    }
  }

  async fetch(file) {
    const response = await answer(file)
    const progress = (size) => this.count(file.phase, size)
    if (!file.path.endsWith(".wasm")) return {bytes: await read(file, response.body, progress)}
    const checked = read(file, response.clone().body, progress).then(() => {})
    checked.catch(() => {})
    return {streamed: compilable(response), checked}
  }

  // A package's stands in the lock, which is asked for before any of them and is checked itself.
  async hash({path, sha256}) {
    if (sha256) return sha256
    const {packages} = JSON.parse(new TextDecoder().decode(await this.bytes(LOCK)))
    return packaged(packages, path)
  }

  count(phase, size) {
    const count = this.counts.get(phase)
    count.done += size
    const now = performance.now()
    if (now - this.told < 50 && count.done < count.total) return
    this.told = now
    tell("progress", {phase, ...count})
  }

  async bytes(path) {
    return (await this.contents.get(path)).bytes
  }

  async module(path) {
    const url = URL.createObjectURL(
      new Blob([await this.bytes(path)], {type: "text/javascript"}),
    )
    try {
      return await import(url)
    } finally {
      URL.revokeObjectURL(url)
    }
  }

  // What is wrong with a file, which is the reason for whatever failed afterwards.
  async fault() {
    const checks = [...this.contents.values()].map(async (content) => (await content).checked)
    const patience = new Promise((done) => setTimeout(done, 5000, []))
    const results = await Promise.race([Promise.allSettled(checks), patience])
    return results.find(({reason}) => reason instanceof FileFault)?.reason
  }

  // What the runtime fetches by itself, it gets from here.
  async respond(path) {
    const content = await this.contents.get(path)
    return content.streamed ?? new Response(content.bytes)
  }
}

function packaged(packages, path) {
  return Object.values(packages).find(({file_name: name}) => path.endsWith(`/${name}`)).sha256
}

// ------------------------------------------------------------------ start

async function start({site, query, look}) {
  const kept = await find(site.version).catch(() => null)
  const loader = new Loader(site.files.filter((file) => !kept || !file.late))
  loader.begin()
  try {
    await (kept ? goOn(loader, site, query, kept) : startFrom(loader, site, query, look))
  } catch (error) {
    throw (await loader.fault()) ?? error
  }
}

async function startFrom(loader, site, query, {extent, theme}) {
  await startPython(loader, site)
  tell("phase", {phase: "cockpit"})
  countImports(site.imports)
  const digests = new TextDecoder().decode(await loader.bytes("boot/digests.json"))
  const begun = python.pyimport("flockwasm.inside.start")
  begun.start(digests)
  tell("phase", {phase: "tick"})
  const models = begun.worker().begin(...extent, theme)
  // The page has it since long, built by the same code; should it not, it gets it from here.
  const known = site.documents.some((document) => document.models === models && document.theme === theme)
  const made = {models, written: known ? null : begun.worker().document()}
  await letGo(loader, site)
  takeImage(made)
  connect(query, made)
}

function connect(query, made) {
  cockpit = python.pyimport("flockwasm.inside.start").connect(tellJson, post)
  tell("document", {about: cockpit.go_to(JSON.stringify(query)), ...made})
}

// Starts from what was kept of an earlier visit.
async function goOn(loader, site, query, kept) {
  intercept(loader)
  tell("phase", {phase: "runtime"})
  try {
    const {loadPyodide} = await scripts(loader)
    python = await restored(loadPyodide, options(), kept)
  } catch (error) {
    const fault = await loader.fault()
    if (fault) throw fault
    console.warn(`What was kept is of no use, and is thrown away: ${error.message}`)
    await forget(site.version)
    tell("again")
    return
  }
  tell("phase", {phase: "tick"})
  absent = site
  python.globals.get("expect")(() => python.toPy(readLate(site)))
  connect(query, kept.state.made)
}

// What is imported later, and seldom is, lies in files.
async function letGo(loader, site) {
  for (const path of Object.values(site.archives)) {
    python.FS.writeFile(place(path), await loader.bytes(path), {canOwn: true})
  }
  const [places, give] = [python.globals.get("places"), python.globals.get("let_go")]
  for (const [address, size] of places().toJs()) {
    python._module.HEAPU8.fill(0, address, address + size)
  }
  give(python.toPy(Object.values(site.archives).map(place)))
}

// Once there is time for it, after a start from what was kept.
async function fetchLate(site) {
  const files = lateFiles(site)
  const loader = new Loader(site.files.filter(({path}) => path === LOCK || files.includes(path)))
  loader.begin()
  for (const path of files) {
    python.FS.writeFile(place(path), await loader.bytes(path), {canOwn: true})
  }
  python.globals.get("arrived")()
  lost = null
}

// All but the first, so that a click on a tab need not wait for it; frames are drawn in between.
async function importDecks() {
  for (const _ of python.pyimport("flockpit.page").import_decks()) {
    await new Promise((done) => setTimeout(done, 100))
  }
}

// The same at once: an import waits for it. The lock is only checked.
function readLate(site) {
  tell("waiting")
  lost = null
  const lock = readNow(LOCK)
  const {packages} = JSON.parse(new TextDecoder().decode(lock))
  const hash = (path) => site.files.find((file) => file.path === path).sha256 ?? packaged(packages, path)
  const files = lateFiles(site).map((path) => [place(path), hash(path), readNow(path)])
  absent = null
  return [["", hash(LOCK), lock], ...files]
}

function readNow(path) {
  const request = new XMLHttpRequest()
  request.open("GET", new URL(path, HERE), false)
  request.responseType = "arraybuffer"
  try {
    request.send()
  } catch (error) {
    throw missing(`${path} cannot be fetched (${error.message}).`)
  }
  if (request.status !== 200) throw missing(`${path} is missing: the server answers ${request.status}.`)
  return new Uint8Array(request.response)
}

// Python will wrap it.
function missing(text) {
  lost = new FileFault(text)
  return lost
}

function lateFiles(site) {
  return [LIBRARY, ...Object.values(site.archives)]
}

function place(path) {
  return path === LIBRARY ? "/lib/python312.zip" : `/lib/${path.slice(path.lastIndexOf("/") + 1)}`
}

function takeImage(made) {
  if (!globalThis.caches) return
  try {
    image = take(python, {made})
  } catch (error) {
    console.warn(`The next start is like this one: ${error.message}`)
  }
}

function intercept(loader) {
  self.fetch = (resource, options) => {
    const url = String(resource.url ?? resource)
    const path = url.startsWith(HERE.href) ? url.slice(HERE.href.length) : null
    if (loader.contents.has(path)) return loader.respond(path)
    return path?.startsWith("pyodide/") ? new Response() : native(resource, options)
  }
  WebAssembly.instantiateStreaming = async (source, imports) => {
    const linked = await link.call(WebAssembly, source, imports)
    if (optimise(linked.instance, imports)) performance.mark("flockpit:optimised")
    return linked
  }
}

async function scripts(loader) {
  const [made] = await Promise.all([
    loader.module("pyodide/pyodide.mjs"),
    loader.module("pyodide/pyodide.asm.js"),
  ])
  return made
}

function options() {
  return {
    indexURL: new URL("pyodide/", HERE).href,
    enableRunUntilComplete: false,
    stdout: (text) => console.log(text),
    stderr: (text) => console.warn(text),
    env: {HOME: "/home/pyodide", PYTHONHASHSEED: "0"},
  }
}

async function startPython(loader, site) {
  intercept(loader)
  tell("phase", {phase: "runtime"})
  const {loadPyodide} = await scripts(loader)
  python = await loadPyodide(options())
  await (await loader.contents.get("pyodide/pyodide.asm.wasm")).checked
  tell("phase", {phase: "numpy"})
  // Nothing that comes up now is garbage: it is not searched for any until the cockpit is there.
  python.runPython("import gc; gc.disable()")
  python.globals.set("importer", await loader.bytes("pyodide/packed.bin"))
  python.runPython("import marshal; exec(marshal.loads(importer.to_bytes()[16:])); del importer")
  await unpack(loader, site.archives.numpy)
  python.runPython("import numpy")
  await unpack(loader, site.archives.ours)
}

async function unpack(loader, path) {
  const install = python.globals.get("install")
  install(await loader.bytes(path), SITE)
  install.destroy()
}

function countImports(total) {
  let done = 0
  const watch = python.globals.get("watch")
  watch(() => {
    done += 1
    if (done % 16 === 0) tell("progress", {phase: "cockpit", done: Math.min(done, total), total})
  })
  watch.destroy()
}

// ------------------------------------------------------------------ messages

function tellJson(kind, text) {
  const content = JSON.parse(text)
  if (kind !== "stopped") tell(kind, {content})
  else fail({message: content.reason, stack: content.trace})
}

function post(text, names, parts) {
  const buffers = parts.toJs({create_pyproxies: false}).map((part) => part.slice().buffer)
  self.postMessage({kind: "patch", text, names: names.toJs(), buffers}, buffers)
}

const HANDLERS = {
  start(asked) {
    starting = start(asked)
    return starting
  },
  async shown() {
    await starting
    cockpit.shown()
    python.runPython("import gc; gc.freeze(); gc.enable()")
  },
  // Not before the page has time. It is a lot to write; without it the next start is a full one. And it
  // is a lot to read, in case something is imported that nothing has needed so far.
  async keep({version}) {
    try {
      if (image) await keep(version, image)
      tell("memory")
    } catch (error) {
      console.warn(`Nothing is kept for the next start: ${error.message}`)
    }
    image = null
    try {
      if (absent) await fetchLate(absent)
      absent = null
      await importDecks()
    } catch (error) {
      console.warn(`Decks are imported when they are opened: ${error.message}`)
    }
    absent = null
  },
  async patch({text, buffers}) {
    await starting
    try {
      cockpit.receive(text, buffers.map((buffer) => new Uint8Array(buffer)))
    } finally {
      tell("idle")
    }
  },
  // Checked by the tests: the same run here and on a computer.
  async parity({site, scenario}) {
    if (!python) {
      const loader = new Loader(site.files)
      loader.begin()
      await startPython(loader, site)
    }
    tell("parity", {text: python.pyimport("flockwasm.inside.parity").recorded(scenario)})
  },
  pace({nodes}) {
    const pace = python.pyimport("flockwasm.inside.pace")
    tell("pace", {ms: pace.tick_ms(nodes)})
  },
  // Checked by the tests: the document that is made here, and the one that came with the site.
  async document({site, look: {extent, theme}}) {
    const loader = new Loader(site.files)
    loader.begin()
    await startPython(loader, site)
    const begun = python.pyimport("flockwasm.inside.start")
    begun.start("{}")
    const models = begun.worker().begin(...extent, theme)
    tell("written", {text: begun.worker().document(), models})
  },
  // Which modules the site's own archives have given so far.
  imported() {
    tell("imported", {names: python.pyimport("flockwasm.inside.start").imported().toJs()})
  },
  ping({number}) {
    tell("pong", {number})
  },
}

function fail(error) {
  const text = String(error?.message ?? error)
  const lines = text.trim().split("\n")
  tell("failure", {
    reason: lost?.message ?? lines[lines.length - 1],
    trace: String(error?.stack ?? text),
    file: lost !== null || error instanceof FileFault,
  })
}

self.addEventListener("message", async ({data}) => {
  try {
    await HANDLERS[data.kind](data)
  } catch (error) {
    fail(error)
  }
})
