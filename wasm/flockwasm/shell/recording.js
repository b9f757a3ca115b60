// Plays the recorded run: positions and links once, then belief and field of each node by the frame.

const FRAME_MS = 50
const UNKNOWN = 0
const ALIVE = 1
const SUSPECT = 2
const DEAD = 3

export class Recording {
  constructor(recorded, canvas, clock, replay) {
    this.recorded = recorded
    this.canvas = canvas
    this.clock = clock
    this.replay = replay
    this.index = 0
    this.timer = 0
    this.colours = null
    replay.addEventListener("click", () => this.play())
    addEventListener("resize", () => this.draw())
  }

  start() {
    this.colours = colours()
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.index = this.recorded.still
      this.replay.hidden = false
      this.draw()
    } else {
      this.play()
    }
  }

  play() {
    this.stop()
    this.replay.hidden = true
    this.timer = setInterval(() => {
      this.draw()
      this.index = (this.index + 1) % this.recorded.frames.length
    }, FRAME_MS)
    this.draw()
  }

  stop() {
    clearInterval(this.timer)
  }

  draw() {
    const {canvas, recorded} = this
    const {clientWidth: width, clientHeight: height} = canvas
    if (!width || !height || !this.colours) return
    const ratio = devicePixelRatio || 1
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio)
      canvas.height = Math.round(height * ratio)
    }
    const frame = recorded.frames[this.index]
    const context = canvas.getContext("2d")
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    this.places = recorded.places.map(([x, y]) => this.seat(x, y, width, height))
    this.drawLinks(context, frame)
    for (let node = 0; node < this.places.length; node += 1) this.drawNode(context, frame, node)
    this.clock.textContent = `${(frame.ms / 1000).toFixed(2)} s`
  }

  // One scale for both directions, centred.
  seat(x, y, width, height) {
    const {extent} = this.recorded
    const scale = Math.min((width - 48) / extent[0], (height - 48) / extent[1])
    return [
      width / 2 + (x - extent[0] / 2) * scale,
      height / 2 - (y - extent[1] / 2) * scale,
    ]
  }

  drawLinks(context, frame) {
    const {links, sides} = this.recorded
    for (const crossing of [false, true]) {
      context.beginPath()
      for (const [one, other] of links) {
        const cut = frame.cut && sides[one] !== sides[other]
        if (cut !== crossing) continue
        context.moveTo(...this.places[one])
        context.lineTo(...this.places[other])
      }
      context.lineWidth = 1
      context.setLineDash(crossing ? [3, 5] : [])
      context.strokeStyle = crossing ? this.colours.dead : this.colours.edge
      context.stroke()
    }
    context.setLineDash([])
  }

  drawNode(context, frame, node) {
    const [x, y] = this.places[node]
    const belief = Number(frame.belief[node])
    const {colours: paint} = this
    context.beginPath()
    if (belief === DEAD) {
      for (const turn of [1, -1]) {
        context.moveTo(x - 5, y - 5 * turn)
        context.lineTo(x + 5, y + 5 * turn)
      }
      context.lineWidth = 3.2
      context.strokeStyle = paint.dead
      context.stroke()
    } else if (belief === SUSPECT) {
      context.moveTo(x, y - 7)
      context.lineTo(x + 7, y + 5)
      context.lineTo(x - 7, y + 5)
      context.closePath()
      context.fillStyle = paint.suspect
      context.fill()
    } else if (belief === ALIVE) {
      context.arc(x, y, 6.5, 0, 2 * Math.PI)
      const level = Number(frame.field[node]) / 9
      context.fillStyle = paint.map[Math.round(level * (paint.map.length - 1))]
      context.fill()
    } else if (belief === UNKNOWN) {
      context.rect(x - 5, y - 5, 10, 10)
      context.lineWidth = 1.75
      context.strokeStyle = paint.unknown
      context.stroke()
    }
    if (belief === SUSPECT || belief === DEAD) this.drawRing(context, x, y)
  }

  // Believed gone, and really up.
  drawRing(context, x, y) {
    context.beginPath()
    context.arc(x, y, 11, 0, 2 * Math.PI)
    context.lineWidth = 1.5
    context.strokeStyle = this.colours.alive
    context.stroke()
  }
}

function colours() {
  const style = getComputedStyle(document.documentElement)
  const value = (name) => style.getPropertyValue(name).trim()
  return {
    edge: value("--edge"),
    alive: value("--alive"),
    suspect: value("--suspect"),
    dead: value("--dead"),
    unknown: value("--unknown"),
    map: value("--field-map").match(/#[0-9a-fA-F]{6}/g) ?? ["#2095c0"],
  }
}
