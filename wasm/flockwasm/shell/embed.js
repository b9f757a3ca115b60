// Puts a document of Bokeh's into the page. Bokeh does that in one go, in which the page hears nobody;
// here it takes turns with the page, and nothing has to be laid out again.

const TURN_MS = 40

// The document that a text is of; what it needs of the page is fetched.
export async function read(text) {
  await sheetsOf(text)
  const doc = window.Bokeh.require("document").Document.from_json(JSON.parse(text))
  await turn()
  return doc
}

// Builds what shows it: views in turns, and then their elements at one go.
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

// Lets the browser do what waits: input, and pictures.
function turn() {
  return globalThis.scheduler?.yield?.() ?? new Promise((done) => setTimeout(done))
}

// ------------------------------------------------------------------ style sheets

const sheets = new Map()
const LINKED = /"name":"ImportedStyleSheet","id":"[^"]+","attributes":\{"url":"([^"]+)"/g
const OUTSIDE = /url\((['"]?)(?!data:)([^'")]+)\1\)/g

async function sheetsOf(text) {
  const urls = [...text.matchAll(LINKED)].map(([, url]) => url)
  await Promise.all(urls.filter((url) => !sheets.has(url)).map(fetchSheet))
}

// One that cannot be had is linked, as Bokeh would; then the browser says what is wrong.
async function fetchSheet(url) {
  const response = await fetch(url).catch(() => null)
  if (!response?.ok) return
  const place = (_all, _quote, path) => `url("${new URL(path, response.url)}")`
  sheets.set(url, (await response.text()).replaceAll(OUTSIDE, place))
}

// Bokeh links every sheet anew in every pane, where it comes a moment after the first layout. Written
// into the panes, they are there at once. For once Bokeh's scripts are there.
export function writeSheets() {
  const {ImportedStyleSheet} = window.Bokeh.require("models/dom/stylesheets")
  const {InlineStyleSheet} = window.Bokeh.require("core/dom")
  replace(ImportedStyleSheet, "underlying", (link) => function () {
    const text = sheets.get(this.url)
    return text === undefined ? link.call(this) : new InlineStyleSheet(text)
  })
}
