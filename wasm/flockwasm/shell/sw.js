// Keeps the whole site for use without a network. Installed only once every file is there and right.

const PREFIX = "flockpit-"
const FILES = /* FILES */ []
const NAME = PREFIX + /* VERSION */ ""
const MEMORY = PREFIX + "memory-" + /* MEMORY */ ""
const HOME = new URL("./", self.location.href)

function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

async function fetched([path, sha256]) {
  const response = await fetch(new URL(path, HOME))
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  const bytes = await response.clone().arrayBuffer()
  if (hex(await crypto.subtle.digest("SHA-256", bytes)) !== sha256) {
    throw new Error(`${path} is not the file that belongs here`)
  }
  return response
}

// A few at a time: the page is in use meanwhile.
async function install() {
  const cache = await caches.open(NAME)
  const left = [...FILES]
  const one = async () => {
    for (let file = left.shift(); file; file = left.shift()) {
      const url = new URL(file[0], HOME).href
      if (!(await cache.match(url))) await cache.put(url, await fetched(file))
    }
  }
  await Promise.all([one(), one()])
}

async function tidy() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== NAME && name !== MEMORY) await caches.delete(name)
  }
  await self.clients.claim()
}

async function answer(request) {
  const url = new URL(request.url)
  const path = url.href.startsWith(HOME.href) ? url.pathname.slice(HOME.pathname.length) : null
  if (path === null) return fetch(request)
  const cache = await caches.open(NAME)
  const found = await cache.match(new URL(path || "index.html", HOME).href)
  return found ?? fetch(request)
}

self.addEventListener("install", (event) => event.waitUntil(install().then(() => self.skipWaiting())))
self.addEventListener("activate", (event) => event.waitUntil(tidy()))
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request))
})
