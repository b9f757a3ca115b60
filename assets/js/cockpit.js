// The page's end of the bridge: keys, gestures and acknowledgements go to Python through one named
// Bokeh model; commands come back through it. No framework, no inline code, no eval.

const NAME = "flockpit.bridge"
const THEME_KEY = "flockpit.theme"

// ------------------------------------------------------------------ the queue to Python

class Bridge {
  constructor(model, doc) {
    this.model = model
    this.doc = doc
    this.number = model.heard
    this.ordered = model.orders.reduce((last, [number]) => Math.max(last, number), 0)
    this.waiting = false
    const {frame, heard, orders} = model.properties
    model.connect(frame.change, () => this.acknowledge())
    model.connect(heard.change, () => this.forget())
    model.connect(orders.change, () => this.obey())
  }

  // Entries stay in the list until Python has heard them: whoever joins changes joins no gesture.
  send(kind, details = {}) {
    this.number += 1
    const unheard = this.model.gestures.filter(([number]) => number > this.model.heard)
    this.model.gestures = [...unheard, [this.number, kind, details]]
  }

  forget() {
    if (this.model.gestures.length > 64) {
      this.model.gestures = this.model.gestures.filter(([number]) => number > this.model.heard)
    }
  }

  // Figures paint in the callbacks of the next animation frame; a message that is posted there is
  // delivered once that frame has been drawn.
  acknowledge() {
    if (this.waiting) return
    this.waiting = true
    const {port1, port2} = new MessageChannel()
    port1.onmessage = ({data: frame}) => {
      port1.close()
      this.waiting = false
      this.model.painted = frame
      // The next one came while this one was drawn.
      if (frame !== this.model.frame) this.acknowledge()
    }
    requestAnimationFrame(() => port2.postMessage(this.model.frame))
  }

  obey() {
    for (const [number, verb, details] of this.model.orders) {
      if (number <= this.ordered) continue
      this.ordered = number
      ORDERS[verb]?.(details)
    }
  }
}

// ------------------------------------------------------------------ what Python asks for

const ORDERS = {
  theme({name}) {
    document.documentElement.classList.toggle("light", name === "light")
    document.documentElement.dataset.flockpitTheme = name
    remember(THEME_KEY, name)
  },
  copy({text}) {
    copy(text)
  },
  download({name, text, mime}) {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([text], {type: mime}))
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  },
  address({query}) {
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""))
  },
  share({query}) {
    const address = `${location.origin}${location.pathname}?${query}`
    history.replaceState(null, "", address)
    copy(address)
  },
  focus({name}) {
    requestAnimationFrame(() => find(document, `[data-focus="${name}"]`)?.focus())
  },
  file() {
    openFile()
  },
  title({text}) {
    document.title = text
  },
  // Cards that come later bring their sheets along, and figures have to wait for them, too.
  settle() {
    requestAnimationFrame(() => setTimeout(reveal))
  },
}

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
}

function openFile() {
  const input = document.createElement("input")
  input.type = "file"
  input.accept = ".toml"
  input.addEventListener("change", async () => {
    const [file] = input.files
    if (file) tell("file", {name: file.name, text: await file.text()})
  })
  input.click()
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value)
  } catch {
    // A page without storage forgets its theme; nothing else depends on it.
  }
}

function remembered(key) {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

// Looks through open shadow trees, which a plain query does not enter.
function* all(root, selector) {
  yield* root.querySelectorAll(selector)
  for (const element of root.querySelectorAll("*")) {
    if (element.shadowRoot) yield* all(element.shadowRoot, selector)
  }
}

function find(root, selector) {
  return all(root, selector).next().value ?? null
}

// ------------------------------------------------------------------ what Python is told

const bridges = new Map()

function tell(kind, details) {
  for (const bridge of bridges.values()) bridge.send(kind, details)
}

const TYPING = "input:not([type=button]):not([type=range]), textarea, select, [contenteditable]"
const ARROWED = '[role="slider"], [role="radio"], input, select'

// A page that only has a cockpit in it keeps its keys, but for those pressed in or over the cockpit.
function meant(event) {
  const cockpit = find(document, ".flockpit")
  if (!cockpit?.classList.contains("framed")) return true
  return event.composedPath().includes(cockpit) || cockpit.matches(":hover")
}

function onKey(event) {
  if (!meant(event)) return
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const target = event.composedPath()[0]
  const element = target instanceof Element ? target : null
  if (event.key === "Escape") closeMenus([])
  else if (element?.matches(TYPING)) return
  if (event.key.startsWith("Arrow") && element?.matches(ARROWED)) return
  // Someone who walks the page by Tab presses the button that has the focus.
  const pressing = event.key === " " || event.key === "Enter"
  if (pressing && element?.matches("button:focus-visible, [role=slider]")) return
  if (event.key === "Enter") return
  if (event.key === " " || event.key.startsWith("Arrow")) event.preventDefault()
  tell("key", {key: event.key, shift: event.shiftKey, repeat: event.repeat})
}

// <button data-do="verb" data-with="..."> anywhere in a pane.
function onClick(event) {
  const path = event.composedPath()
  closeMenus(path)
  for (const element of path) {
    if (element instanceof HTMLElement && element.dataset.do) {
      if (element.dataset.copy) copy(element.dataset.copy)
      tell("do", {verb: element.dataset.do, with: element.dataset.with ?? ""})
      return
    }
  }
}

// A menu stays open while it is used, and closes once something is chosen or something else is used.
function closeMenus(path) {
  const chosen = path.some((element) => element.dataset?.do)
  for (const menu of all(document, "details.menu[open]")) {
    if (chosen || !path.includes(menu)) menu.open = false
  }
}

// What was used with the pointer keeps the focus; the next key is for the run, not for it.
function letGo() {
  setTimeout(() => {
    let held = document.activeElement
    while (held?.shadowRoot?.activeElement) held = held.shadowRoot.activeElement
    if (held?.matches?.("button, select, .noUi-handle")) held.blur()
  })
}

function onChosen(event) {
  if (event.composedPath()[0] instanceof HTMLSelectElement) letGo()
}

// In a notebook the cockpit is smaller than the page.
function extent() {
  const box = find(document, ".flockpit")?.getBoundingClientRect()
  return {width: box?.width || innerWidth, height: box?.height || innerHeight}
}

let size = ""
function onResize() {
  const {width, height} = extent()
  const now = `${width}x${height}`
  if (now === size) return
  size = now
  tell("size", {width, height})
}

function onDrop(event) {
  const [file] = event.dataTransfer?.files ?? []
  if (!file) return
  event.preventDefault()
  file.text().then((text) => tell("file", {name: file.name, text}))
}

function preferred() {
  const {flockpitTheme: theme} = document.documentElement.dataset
  const asked = theme || new URLSearchParams(location.search).get("theme") || remembered(THEME_KEY)
  if (asked) return asked
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"
}

function greet(bridge) {
  bridge.send("hello", {
    theme: preferred(),
    still: matchMedia("(prefers-reduced-motion: reduce)").matches,
    ...extent(),
  })
}

// ------------------------------------------------------------------ start

function listen() {
  document.addEventListener("keydown", onKey)
  document.addEventListener("click", onClick)
  document.addEventListener("pointerup", (event) => {
    if (!(event.composedPath()[0] instanceof HTMLSelectElement)) letGo()
  })
  document.addEventListener("input", onChosen)
  document.addEventListener("dragover", (event) => event.preventDefault())
  document.addEventListener("drop", onDrop)
  addEventListener("resize", onResize)
}

// Components link their sheets, unless they are written in; the page shows once all of them are there.
async function reveal() {
  const links = [...all(document, "link[rel=stylesheet]")]
  const linked = links.some((link) => link.getRootNode() !== document)
  settled = linked ? "" : extents()
  const pending = links.filter((link) => link.sheet === null)
  const loaded = (link) =>
    new Promise((done) => {
      link.addEventListener("load", done, {once: true})
      link.addEventListener("error", done, {once: true})
    })
  const patience = new Promise((done) => setTimeout(done, 3000))
  await Promise.race([Promise.all(pending.map(loaded)), patience])
  document.documentElement.classList.add("ready")
  requestAnimationFrame(settle)
  setTimeout(settle, 300)
}

// Figures that measured themselves while sheets were still loading measure again; and whenever some of
// them have become larger or smaller since.
let settled = ""
function settle() {
  if (settled !== extents()) {
    for (const view of window.Bokeh.index.roots) view.invalidate_layout?.()
  }
  settled = extents()
  nameSliders(document)
}

function extents() {
  const boxes = [...all(document, ".bk-Figure")].map((figure) => figure.getBoundingClientRect())
  return boxes.map(({x, y, width, height}) => [x, y, width, height].join()).join(" ")
}

// The handle is what has the focus, and nothing tells its name to those who cannot see it.
function nameSliders(root) {
  const title = root.querySelector?.(".bk-slider-title")
  for (const handle of root.querySelectorAll(".noUi-handle")) {
    if (title) handle.setAttribute("aria-label", title.textContent.replace(/:\s*$/, ""))
  }
  for (const element of root.querySelectorAll("*")) {
    if (element.shadowRoot) nameSliders(element.shadowRoot)
  }
}

// Bokeh writes the style sheet of everything that it places on a canvas anew whenever it paints,
// mostly as it was. The browser would parse each, and style what it is for, all the same.
let spared = false
function spareSheets() {
  const [view] = window.Bokeh.index.roots
  const sheets = view?.style && Object.getPrototypeOf(view.style)
  if (spared || !sheets?._update) return
  spared = true
  const update = sheets._update
  sheets._update = function (css) {
    if (this.el.textContent !== css) update.call(this, css)
  }
}

// Bokeh asks style sheets about every line and fill whenever it paints, and the browser works out
// the page's style each time. On a page that is all ours no sheet has anything to say about them.
function spareStyles() {
  const own = document.querySelector('meta[name="application-name"][content="flockpit"]')
  if (!own || !window.Bokeh) return
  const {VisualProperties} = window.Bokeh.require("core/visuals/visual")
  if (VisualProperties.prototype._get_css_value) VisualProperties.prototype._get_css_value = () => ""
}

// A page that is still being put together says so; it is greeted once all of it is there.
function look() {
  for (const doc of window.Bokeh?.documents ?? []) {
    if (bridges.has(doc)) continue
    const model = doc.get_model_by_name(NAME)
    if (!model || document.querySelector("[data-partial]")) continue
    const bridge = new Bridge(model, doc)
    bridges.set(doc, bridge)
    spareSheets()
    greet(bridge)
    requestAnimationFrame(reveal)
  }
  // A notebook brings further documents; a page of ours has one.
  setTimeout(look, bridges.size ? 1000 : 50)
}

// A notebook may run this file more than once.
if (!window.flockpit) {
  window.flockpit = true
  document.documentElement.classList.toggle("light", preferred() === "light")
  listen()
  look()
  spareStyles()
}
