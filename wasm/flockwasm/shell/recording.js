// Plays the recorded run: positions and links once, then belief and field of each node by the frame.
// It draws what the cockpit's map draws, with its sizes.

// At the pace at which it was recorded, though not every frame is drawn: Python needs the time.
const FRAME_MS = 50
const DRAWN_MS = 100
// Room for the letters above the sides.
const BESIDE = 24
const ABOVE = 40
const HALO_ABOVE = 0.45
// Opacity of each circle of a halo, and how far it reaches, the outermost first.
const HALOS = [[0.045, 1], [0.06, 46 / 62], [0.08, 32 / 62]]
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
    const [first, began] = [this.index, performance.now()]
    this.timer = setInterval(() => {
      const past = Math.floor((performance.now() - began) / FRAME_MS)
      this.index = (first + past) % this.recorded.frames.length
      this.draw()
    }, DRAWN_MS)
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
    this.fit(width, height)
    this.places = recorded.places.map(([x, y]) => this.seat(x, y))
    if (frame.cut) this.drawSides(context)
    this.drawLinks(context, frame)
    for (let node = 0; node < this.places.length; node += 1) this.drawHalo(context, frame, node)
    for (let node = 0; node < this.places.length; node += 1) this.drawNode(context, frame, node)
    this.clock.textContent = `${(frame.ms / 1000).toFixed(2)} s`
  }

  // One scale for both directions, centred; nodes are as large as on the cockpit's map.
  fit(width, height) {
    const {extent} = this.recorded
    const scale = Math.min((width - 2 * BESIDE) / extent[0], (height - BESIDE - ABOVE) / extent[1])
    const left = (width - extent[0] * scale) / 2
    const foot = (height + ABOVE - BESIDE + extent[1] * scale) / 2
    this.seat = (x, y) => [left + x * scale, foot - y * scale]
    this.radius = Math.min(Math.max(height / 62, 6.5), 11.5)
  }

  drawSides(context) {
    const {outlines, letters, lines, words} = this.recorded
    const {colours: paint} = this
    context.lineWidth = 1
    outlines.forEach((outline, side) => {
      this.trace(context, outline)
      context.closePath()
      context.fillStyle = context.strokeStyle = paint.sides[side] ?? paint.word
      context.globalAlpha = paint.tint
      context.fill()
      context.globalAlpha = 0.45
      context.stroke()
    })
    context.globalAlpha = 1
    context.lineWidth = 1.5
    context.setLineDash([1, 5])
    context.strokeStyle = paint.line
    for (const line of lines) {
      this.trace(context, line)
      context.stroke()
    }
    context.setLineDash([])
    context.textAlign = "center"
    context.fillStyle = paint.word
    context.font = `600 20px ${paint.sans}`
    letters.forEach((place, side) => {
      const [x, y] = this.seat(...place)
      context.fillText("AB"[side] ?? "", x, y - 8)
    })
    context.font = `600 12px ${paint.sans}`
    if (lines.length) {
      const [x, y] = this.seat(...lines[0][0])
      context.fillText(words, x, y - 6)
    }
  }

  trace(context, line) {
    context.beginPath()
    for (const place of line) context.lineTo(...this.seat(...place))
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
      context.globalAlpha = crossing ? 0.75 : 0.8
      context.strokeStyle = crossing ? this.colours.dead : this.colours.edge
      context.stroke()
    }
    context.globalAlpha = 1
    context.setLineDash([])
  }

  // The more a node carries, the wider.
  drawHalo(context, frame, node) {
    const level = Number(frame.field[node]) / 9
    if (Number(frame.belief[node]) !== ALIVE || level <= HALO_ABOVE) return
    context.fillStyle = this.fill(level)
    for (const [alpha, share] of HALOS) {
      context.beginPath()
      const wide = this.radius * (1 + 2.7 * share * level)
      context.arc(...this.places[node], wide, 0, 2 * Math.PI)
      context.globalAlpha = alpha
      context.fill()
    }
    context.globalAlpha = 1
  }

  fill(level) {
    const {map} = this.colours
    return map[Math.round(level * (map.length - 1))]
  }

  drawNode(context, frame, node) {
    const [x, y] = this.places[node]
    const belief = Number(frame.belief[node])
    const {colours: paint, radius} = this
    context.beginPath()
    if (belief === DEAD) {
      const arm = 0.675 * radius
      for (const turn of [1, -1]) {
        context.moveTo(x - arm, y - arm * turn)
        context.lineTo(x + arm, y + arm * turn)
      }
      context.lineWidth = 3.2
      context.strokeStyle = paint.dead
      context.stroke()
    } else if (belief === SUSPECT) {
      context.moveTo(x, y - radius)
      context.lineTo(x + radius, y + 0.73 * radius)
      context.lineTo(x - radius, y + 0.73 * radius)
      context.closePath()
      context.fillStyle = paint.suspect
      context.fill()
      context.lineWidth = 1.25
      context.strokeStyle = paint.suspectEdge
      context.stroke()
    } else if (belief === ALIVE) {
      context.arc(x, y, radius, 0, 2 * Math.PI)
      context.fillStyle = this.fill(Number(frame.field[node]) / 9)
      context.fill()
      context.lineWidth = 1.5
      context.strokeStyle = paint.ground
      context.stroke()
    } else if (belief === UNKNOWN) {
      context.moveTo(x, y - radius)
      context.lineTo(x + 0.7 * radius, y)
      context.lineTo(x, y + radius)
      context.lineTo(x - 0.7 * radius, y)
      context.closePath()
      context.fillStyle = paint.ground
      context.fill()
      context.lineWidth = 1.75
      context.strokeStyle = paint.unknown
      context.stroke()
    }
    if (belief === SUSPECT || belief === DEAD) this.drawRing(context, x, y)
  }

  // Believed gone, and really up.
  drawRing(context, x, y) {
    context.beginPath()
    context.arc(x, y, this.radius + 5, 0, 2 * Math.PI)
    context.lineWidth = 1.5
    context.strokeStyle = this.colours.alive
    context.stroke()
  }
}

function colours() {
  const style = getComputedStyle(document.documentElement)
  const value = (name) => style.getPropertyValue(name).trim()
  return {
    ground: value("--bg"),
    word: value("--text"),
    line: value("--text2"),
    sans: value("--sans"),
    sides: [value("--side-a"), value("--side-b")],
    tint: Number(value("--tint")),
    edge: value("--edge"),
    alive: value("--alive"),
    suspect: value("--suspect"),
    suspectEdge: value("--suspect-edge"),
    dead: value("--dead"),
    unknown: value("--unknown"),
    map: value("--field-map").match(/#[0-9a-fA-F]{6}/g) ?? ["#2095c0"],
  }
}
