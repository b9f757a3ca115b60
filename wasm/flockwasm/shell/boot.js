// The page's end of the static site: shows a recording and how far loading is, starts the worker,
// joins its document to the page's, and starts it again should it die.

import {build, fetchSheets, read, writeSheets} from "./embed.js"
import {Recording} from "./recording.js"

const PHASES = [
  ["page", "Page and recorded run"],
  ["runtime", "Python 3.12 runtime"],
  ["numpy", "numpy 2.0.2"],
  ["cockpit", "Cockpit and simulator"],
  ["tick", "Start at this tick"],
]
const TITLES = {
  page: "Loading the page",
  runtime: "Loading the Python runtime",
  numpy: "Loading numpy",
  cockpit: "Starting the cockpit",
  tick: "Starting the flock",
}
const SILENCE_MS = 12_000
const PING_MS = 2_000
const WAITING_MS = 120_000
const MOST_RESTARTS = 3

const find = (id) => document.getElementById(id)
const query = Object.fromEntries(new URLSearchParams(location.search))

// ------------------------------------------------------------------ progress

class Progress {
  constructor() {
    this.began = performance.now()
    this.counts = new Map(PHASES.map(([name]) => [name, {done: 0, total: 0}]))
    this.seconds = new Map()
    this.now = "page"
    this.entered = 0
    this.lines = new Map()
    this.parts = new Map()
    find("phases").replaceChildren()
    find("bar").replaceChildren()
    PHASES.forEach(([name, words], index) => this.addLine(name, words, index + 1))
    this.show()
  }

  addLine(name, words, number) {
    const line = document.createElement("li")
    for (const text of ["", String(number), words, "", ""]) {
      const part = document.createElement("span")
      part.textContent = text
      line.append(part)
    }
    line.firstChild.className = "lamp"
    find("phases").append(line)
    this.lines.set(name, line)
    const part = document.createElement("i")
    find("bar").append(part)
    this.parts.set(name, part)
  }

  count(phase, done, total) {
    this.counts.set(phase, {...this.counts.get(phase), done, total})
    this.show()
  }

  enter(phase) {
    const at = performance.now()
    this.seconds.set(this.now, (at - this.entered) / 1000)
    this.entered = at
    this.now = phase
    performance.mark(`flockpit:${phase}`)
    this.show()
  }

  end() {
    this.enter(null)
    return Object.fromEntries(this.seconds)
  }

  show() {
    const order = PHASES.map(([name]) => name)
    const here = this.now === null ? order.length : order.indexOf(this.now)
    let bytes = 0
    let all = 0
    for (const [index, name] of order.entries()) {
      const {done, total} = this.counts.get(name)
      const counted = name === "cockpit" && index <= here && done <= 2000
      if (name !== "tick" && !counted) {
        bytes += done
        all += total
      }
      const line = this.lines.get(name)
      line.className = index < here ? "done" : index === here ? "now" : ""
      const skipped = index < here && !this.seconds.has(name)
      line.children[3].textContent = skipped ? "kept from the last visit" : said(name, done, total, index < here)
      line.children[4].textContent = this.seconds.has(name) ? `${this.seconds.get(name).toFixed(1)} s` : ""
      const share = total ? done / total : 0
      this.parts.get(name).style.setProperty("--part", index < here ? 1 : share)
      this.parts.get(name).style.flexGrow = WEIGHTS[name]
    }
    if (here >= order.length) return
    find("phase").textContent = TITLES[this.now]
    find("say").textContent = `Phase ${here + 1} of ${order.length}. You are watching a recording until then.`
    const shares = order.map((name, index) => {
      const {done, total} = this.counts.get(name)
      return WEIGHTS[name] * (index < here ? 1 : index === here && total ? done / total : 0)
    })
    const part = shares.reduce((sum, share) => sum + share, 0)
    find("bar").setAttribute("aria-valuenow", Math.round(part * 100))
    find("done").textContent = `${Math.round(part * 100)} %`
    const past = (performance.now() - this.began) / 1000
    find("left").textContent = part > 0.15 ? `about ${Math.max(1, Math.round((past / part) * (1 - part)))} s left` : ""
  }
}

// How long each phase takes, roughly: the bar's segments.
const WEIGHTS = {page: 0.04, runtime: 0.3, numpy: 0.12, cockpit: 0.34, tick: 0.2}

function said(name, done, total, past) {
  if (!total) return ""
  if (name === "tick") return `${total} nodes`
  if (name === "cockpit") return `${past ? total : done} of ${total} modules`
  return past || done >= total ? size(total) : `${size(done)} of ${size(total)}`
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`
}

// ------------------------------------------------------------------ failure

function fail(reason, trace = "", advice = ADVICE) {
  stopped = true
  worker?.terminate()
  clearInterval(pinging)
  document.documentElement.classList.remove("ready", "live")
  find("foot").hidden = true
  find("progress").hidden = true
  find("failure").hidden = false
  find("reason").textContent = reason
  find("advice").textContent = advice
  find("trace").textContent = trace
}

const ADVICE =
  "Load the page again. If that does not help, copy the whole folder of the site to the server once more: " +
  "a file is missing or was changed on its way. Offline, load it once with a connection."

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const area = document.createElement("textarea")
    area.value = text
    document.body.append(area)
    area.select()
    document.execCommand("copy")
    area.remove()
  }
  find("copy").textContent = "Copied"
}

find("again").addEventListener("click", () => location.reload())
find("copy").addEventListener("click", () => {
  copy([find("reason").textContent, find("trace").textContent, navigator.userAgent].join("\n\n"))
})

// ------------------------------------------------------------------ scripts of the page

function addScript({path, sha256}) {
  return new Promise((loaded, failed) => {
    const script = document.createElement("script")
    script.src = path
    script.async = false
    script.integrity = `sha256-${sha256}`
    script.addEventListener("load", loaded)
    script.addEventListener("error", () => failed(new Error(`${path} is missing or damaged.`)))
    document.head.append(script)
  })
}

// ------------------------------------------------------------------ the document's two halves

class Half {
  constructor(doc, worker) {
    this.doc = doc
    this.worker = worker
    this.busy = true
    this.waiting = []
    doc.on_change((event) => this.changed(event.sync ? (event.events ?? [event]) : []), true)
  }

  // While Python is busy, only the last value of a property waits.
  changed(events) {
    for (const event of events) {
      if (!event.sync) continue
      // The first frame of the run has been painted: from now on it lives.
      if (event.attr === "painted" && !live && this === half) began()
      if (event.model && event.attr) {
        this.waiting = this.waiting.filter(
          (other) => !(other.model === event.model && other.attr === event.attr),
        )
      }
      this.waiting.push(event)
    }
    if (!this.busy && this.waiting.length) this.send()
  }

  send() {
    const patch = this.doc.create_json_patch(this.waiting)
    this.waiting = []
    this.busy = true
    this.worker.postMessage({kind: "patch", ...written(patch)})
  }

  idle() {
    this.busy = false
    if (this.waiting.length) this.send()
  }

  apply({text, names, buffers}) {
    const parts = new Map(names.map((name, index) => [name, buffers[index]]))
    this.doc.apply_json_patch(JSON.parse(text), parts)
  }
}

// Arrays travel beside the text, which names them.
function written(patch) {
  const buffers = []
  const text = JSON.stringify(patch, (_key, value) => {
    if (ArrayBuffer.isView(value) || !(value?.buffer instanceof ArrayBuffer)) return value
    buffers.push(value.buffer)
    return {id: `page-${buffers.length - 1}`}
  })
  return {text, buffers}
}

async function show({doc, models}) {
  await Promise.all([scripts, fetchSheets(doc)])
  for (const view of [...window.Bokeh.index.roots]) view.remove()
  window.Bokeh.documents.splice(0)
  const cockpit = find("cockpit")
  cockpit.dataset.partial = ""
  cockpit.replaceChildren()
  const place = cockpit.appendChild(document.createElement("div"))
  const made = await read(doc)
  half = new Half(made, worker)
  await build(made, place)
  // If the page has said meanwhile that it cannot start, nothing is shown below that.
  if (stopped) return
  shown = models
  delete cockpit.dataset.partial
}

// ------------------------------------------------------------------ the worker

// The first one starts while the list of files is still on its way.
let spare = new Worker("worker.js", {type: "module"})
let broken = null
spare.addEventListener("error", (event) => {
  if (spare) broken = event
})
let worker = null
let half = null
let pinging = 0
let heard = 0
let stopped = false
let restarts = 0
let live = false
let kept = null
let progress = null
let recording = null
let site = null
let scripts = null
let early = null
let shown = null
let launched = null

const HANDLERS = {
  phase({phase}) {
    progress.enter(phase)
  },
  progress({phase, done, total}) {
    progress.count(phase, done, total)
  },
  async document({about, models, written}) {
    const mine = worker
    const {version, nodes} = JSON.parse(about)
    progress.count("tick", 1, nodes)
    find("engine").textContent = `flockpit ${version}`
    await early
    if (written) await show({doc: written, models})
    else if (shown !== models) await show(await shipped((made) => made.theme === theme() && made.models === models))
    if (stopped || mine !== worker) return
    half.worker = worker
    worker.postMessage({kind: "shown"})
    half.idle()
  },
  again() {
    worker.terminate()
    launch(launched)
  },
  memory() {
    document.documentElement.dataset.memory = "kept"
  },
  patch(message) {
    half.apply(message)
  },
  idle() {
    half?.idle()
  },
  pong() {},
  // It reads files, and answers nobody meanwhile.
  waiting() {
    heard = performance.now() + WAITING_MS
  },
  kept({content}) {
    if (content.run) kept = content
    find("digest").textContent = `tick ${content.tick} ${content.digest.slice(0, 12)}`
    if (content.same !== null) {
      find("same").textContent = content.same
        ? `tick ${content.tick}: identical to native`
        : `tick ${content.tick}: differs from native`
    }
  },
  log({content}) {
    console.error(content)
  },
  failure({reason, trace, file}) {
    if (live) restart(reason)
    else fail(reason, trace, file ? ADVICE : BUG)
  },
}

const BUG = "This is a bug in flockpit, or this browser lacks something that it needs (WebAssembly, module workers)."

function launch(asked) {
  launched = asked
  live = false
  progress = new Progress()
  progress.count("page", site.page_bytes, site.page_bytes)
  worker = spare ?? new Worker("worker.js", {type: "module"})
  spare = null
  const mine = worker
  worker.addEventListener("message", async ({data}) => {
    if (mine !== worker) return
    heard = performance.now()
    try {
      await HANDLERS[data.kind]?.(data)
    } catch (error) {
      // A frame that cannot be shown is no reason to lose the run.
      if (live) console.error(error)
      else fail(String(error.message ?? error), error.stack, BUG)
    }
  })
  const failed = (event) => {
    event.preventDefault()
    if (mine !== worker) return
    if (live) restart(event.message || "its script stopped")
    else fail(event.message || "worker.js is missing or damaged.", "", ADVICE)
  }
  worker.addEventListener("error", failed)
  if (broken) failed(broken)
  worker.postMessage({kind: "start", site, query: asked, look: {extent: [innerWidth, innerHeight], theme: theme()}})
}

function began() {
  live = true
  recording?.stop()
  const seconds = progress.end()
  window.flockpitBoot = {seconds, live: performance.now()}
  performance.mark("flockpit:live")
  find("foot").hidden = false
  heard = performance.now()
  clearInterval(pinging)
  pinging = setInterval(ping, PING_MS)
  document.documentElement.classList.add("live")
  keepOffline().then(() => worker.postMessage({kind: "keep", version: site.version}))
}

// A worker that was ended from outside says nothing; nor does one that hangs.
function ping() {
  if (document.hidden) {
    heard = performance.now()
    return
  }
  worker.postMessage({kind: "ping"})
  if (performance.now() - heard > SILENCE_MS) restart("it no longer answers")
}

function restart(reason) {
  if (stopped) return
  clearInterval(pinging)
  worker.terminate()
  restarts += 1
  if (restarts > MOST_RESTARTS) {
    fail(`The simulator stopped ${restarts} times: ${reason}`, "", BUG)
    return
  }
  document.documentElement.classList.remove("ready", "live")
  find("foot").hidden = true
  const from = kept ? `the run goes on from tick ${kept.tick}` : "the run begins anew"
  say(`The simulator stopped (${reason}); ${from}.`)
  recording?.start()
  half = shown = null
  launch(kept ? {...query, run: kept.run} : query)
}

function say(text) {
  find("word").textContent = text
  find("word").hidden = false
  setTimeout(() => (find("word").hidden = true), 15_000)
}

// ------------------------------------------------------------------ offline

async function keepOffline() {
  if (!("serviceWorker" in navigator)) {
    find("offline").textContent = window.isSecureContext ? "" : "Served without https: not kept for offline use"
    return
  }
  try {
    await navigator.serviceWorker.register("sw.js")
    await navigator.serviceWorker.ready
    find("offline").textContent = "Works offline"
    document.documentElement.dataset.offline = "ready"
  } catch (error) {
    find("offline").textContent = "Not kept for offline use"
  }
}

// ------------------------------------------------------------------ start

async function json(path) {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path} is missing: the server answers ${response.status}.`)
  return response.json()
}

// The cockpit's own script, which comes later, goes by what is set here, and sets it anew when somebody
// chooses another.
function theme() {
  return document.documentElement.dataset.flockpitTheme
}

function preferred() {
  let remembered = null
  try {
    remembered = localStorage.getItem("flockpit.theme")
  } catch {
    // A page without storage remembers nothing.
  }
  const light = matchMedia("(prefers-color-scheme: light)").matches
  const wanted = query.theme || remembered || (light ? "light" : "dark")
  return wanted === "light" ? "light" : "dark"
}

function fitting({theme: made, least: [width, height]}) {
  return made === theme() && innerWidth >= width && innerHeight >= height
}

// A document that came with the site.
async function shipped(fits) {
  const {path, sha256} = site.documents.find(fits)
  try {
    const response = await fetch(path, {integrity: `sha256-${sha256}`})
    return await response.json()
  } catch {
    throw new Error(`${path} is missing or damaged.`)
  }
}

async function start() {
  document.documentElement.dataset.flockpitTheme = preferred()
  document.documentElement.classList.toggle("light", theme() === "light")
  json("boot/recording.json").then(
    (recorded) => {
      recording = new Recording(recorded, find("recording"), find("time"), find("replay"))
      find("recorded").textContent = recorded.title
      if (!live) recording.start()
    },
    () => {},
  )
  try {
    site = await json("boot/site.json")
    // After the first picture, which a page in the background has none of: they are a megabyte and a
    // half of script.
    const painted = new Promise((done) => {
      requestAnimationFrame(() => setTimeout(done))
      setTimeout(done, 1000)
    })
    scripts = painted.then(() => Promise.all(site.scripts.map(addScript))).then(writeSheets)
    // What Python will make is there already: it is shown while Python is on its way.
    early = painted.then(() => shipped(fitting)).then(show)
    launch(query)
    await early
  } catch (error) {
    fail(String(error.message ?? error), error.stack)
  }
}

// For whoever looks at the page from outside: tests, and people with a console.
window.flockpitSite = {worker: () => worker}

start()
