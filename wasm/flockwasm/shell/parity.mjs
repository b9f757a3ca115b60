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
python.globals.set("importer", new Uint8Array(readFileSync(join(runtime, "packed.bin"))))
python.runPython("import marshal; exec(marshal.loads(importer.to_bytes()[16:]))")
const install = python.globals.get("install")
for (const archive of [archives.numpy, archives.ours]) {
  install(new Uint8Array(readFileSync(join(site, archive))), "/lib/python3.12/site-packages")
}
process.stdout.write(python.pyimport("flockwasm.inside.parity").recorded(scenario))
