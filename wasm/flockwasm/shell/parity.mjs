// node parity.mjs SITE SCENARIO: the checkpoints of a run on the site's Python, as JSON.

import {readFileSync} from "node:fs"
import {join} from "node:path"
import {pathToFileURL} from "node:url"

const [site, scenario] = process.argv.slice(2)
const runtime = join(site, "pyodide")
const {archives} = JSON.parse(readFileSync(join(site, "boot", "site.json"), "utf8"))
const {loadPyodide} = await import(pathToFileURL(join(runtime, "pyodide.mjs")).href)

const python = await loadPyodide({
  indexURL: `${runtime}/`,
  enableRunUntilComplete: false,
  stdout: (text) => console.error(text),
})
python.runPython(readFileSync(join(runtime, "packed.py"), "utf8"))
const install = python.globals.get("install")
for (const archive of [archives.numpy, archives.ours]) {
  const bytes = new Uint8Array(readFileSync(join(site, archive)))
  install(python.toPy(bytes), "/lib/python3.12/site-packages")
}
process.stdout.write(python.pyimport("flockwasm.inside.parity").recorded(scenario))
