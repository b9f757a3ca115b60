// Puts a whole document of Bokeh's into the page. Bokeh does that at one go, in which the page hears
// nobody, and lays it out again when style sheets come. Here views take turns with the page, and sheets
// are there at once. What comes later, by patches, Bokeh builds as ever.

const TURN_MS = 40
const PATIENCE_MS = 3000

export async function read(text) {
  const doc = window.Bokeh.require("document").Document.from_json(JSON.parse(text))
  await turn()
  return doc
}

// Builds what shows a document: views in turns, and then their elements at one go.
export async function build(doc, place) {
  let since = performance.now()
  const back = replace(window.Bokeh.require("core/view").View, "lazy_initialize", (initialize) => {
    return async function () {
      await initialize.call(this)
      if (performance.now() - since < TURN_MS) return
      await turn()
      since = performance.now()
    }
  })
  try {
    await window.Bokeh.embed.add_document_standalone(doc, place, [place])
  } finally {
    back()
  }
}

function replace({prototype}, name, by) {
  const own = prototype[name]
  prototype[name] = by(own)
  return () => {
    prototype[name] = own
  }
}

// Lets the browser do what waits: input, and pictures. Timers of a page in the background would be slow.
function turn() {
  if (globalThis.scheduler?.yield) return scheduler.yield()
  return new Promise((done) => {
    const {port1, port2} = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      done()
    }
    port2.postMessage(null)
  })
}

// ------------------------------------------------------------------ style sheets

const sheets = new Map()
const LINKED = /"name":"ImportedStyleSheet","id":"[^"]+","attributes":\{"url":"([^"]+)"/g
const OUTSIDE = /url\((['"]?)(?!data:)([^'")]+)\1\)/g

// Fetches the sheets that a document's text names.
export async function fetchSheets(text) {
  const urls = [...text.matchAll(LINKED)].map(([, url]) => url)
  await Promise.all(urls.filter((url) => !sheets.has(url)).map(fetchSheet))
}

async function fetchSheet(url) {
  try {
    const response = await fetch(url, {signal: AbortSignal.timeout(PATIENCE_MS)})
    if (!response.ok) return
    const place = (_all, _quote, path) => `url("${new URL(path, response.url)}")`
    sheets.set(url, (await response.text()).replaceAll(OUTSIDE, place))
  } catch {
    // It is linked, as Bokeh would; then the browser says what is wrong.
  }
}

// Bokeh links every sheet anew in every pane, where it comes a moment after the first layout. Those
// that were fetched are written into the panes instead. Bokeh's scripts have to be there.
export function writeSheets() {
  const {ImportedStyleSheet} = window.Bokeh.require("models/dom/stylesheets")
  const {InlineStyleSheet} = window.Bokeh.require("core/dom")
  replace(ImportedStyleSheet, "underlying", (link) => function () {
    const text = sheets.get(this.url)
    return text === undefined ? link.call(this) : new InlineStyleSheet(text)
  })
}
