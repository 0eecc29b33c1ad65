// Plots: stacked bars and lines over time, with one cursor for all of them.

import {el, svg, timeOf} from "./format.js"

const left = 46, right = 6, top = 8, bottom = 22
// Beside its colour each series has a texture in bars, and a dash in lines.
const dashes = ["", "6 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 3", "3 5"]
const textures = [
	[], ["M-1 1 L1 -1 M0 6 L6 0 M5 7 L7 5"], ["M0 3 H6"], ["M3 0 V6"],
	["M-1 5 L1 7 M0 0 L6 6 M5 -1 L7 1"], ["M3 2.9 V3.1 M0 0 V.1 M6 6 V6.1"], ["M0 3 H6 M3 0 V6"], [],
]

export const maxSeries = textures.length
export const colour = i => `var(--s${i})`

// defineTextures makes the patterns that fill bars, once for the document.
export function defineTextures() {
	document.body.append(svg("svg", {width: 0, height: 0, "aria-hidden": "true", class: "quiet"}, svg("defs", null, textures.map((lines, i) =>
		svg("pattern", {id: "texture" + i, width: 6, height: 6, patternUnits: "userSpaceOnUse"},
			svg("rect", {width: 6, height: 6, fill: colour(i)}),
			lines.map(d => svg("path", {d, fill: "none", stroke: "var(--cut)", "stroke-width": i === 5 ? 2.2 : 1.3, "stroke-linecap": i === 5 ? "round" : "butt"})))))))
}

// swatch shows a series as bars and lines show it.
export const swatch = i => svg("svg", {class: "swatch", viewBox: "0 0 22 12", "aria-hidden": "true"}, svg("rect", {width: 22, height: 12, fill: `url(#texture${i})`}))

export class Plot {
	// title, lines (instead of bars), format(value), tick(value of the axis), values(points),
	// least (step of the axis), empty (words for nothing), control (an element beside the title)
	constructor(options, moved) {
		Object.assign(this, options)
		this.moved = moved
		this.canvas = el("div", {class: "canvas", tabindex: 0, role: "slider", "aria-label": this.title + " over time", "aria-valuemin": 0, "aria-orientation": "horizontal"})
		this.tip = el("div", {class: "tip", hidden: true, "aria-hidden": "true"})
		this.sum = el("p")
		this.body = el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": this.title + " as a table"})
		this.table = el("details", null, el("summary", null, "As a table"), this.body)
		this.element = el("section", {class: "plot", "aria-label": this.title},
			el("header", null, el("h3", null, this.title), this.control, this.sum), this.canvas, this.tip, this.table)
		this.table.addEventListener("toggle", () => this.fillTable())
		this.canvas.addEventListener("keydown", event => this.key(event))
		this.canvas.addEventListener("focus", () => this.series && this.moved(this.cursor ?? this.steps - 1, this))
		this.canvas.addEventListener("blur", () => this.moved(null))
		this.canvas.addEventListener("pointermove", event => this.point(event))
		this.canvas.addEventListener("pointerleave", () => this.moved(null))
		new ResizeObserver(() => this.draw()).observe(this.canvas)
	}

	// show takes series [{name, slot, points}] and the steps of time.
	show(series, report, alone) {
		this.series = series.map(s => ({...s, values: this.values(s.points), dim: alone !== null && alone !== s.id}))
		this.alone = alone
		this.start = Date.parse(report.start)
		this.step = report.step_seconds * 1000
		this.steps = report.steps
		this.draw()
		if (this.table.open) this.fillTable()
	}

	shown() { return this.series.filter(s => !s.dim) }
	at(i) { return this.start + i * this.step }
	label(i) { return timeOf(this.at(i)) + (this.step > 60_000 ? "–" + timeOf(this.at(i + 1)) : "") }

	draw() {
		const width = this.canvas.clientWidth, height = this.canvas.clientHeight
		if (!this.series || !width) return
		this.inner = {width: width - left - right, height: height - top - bottom}
		const highest = this.highest(), ticks = niceTicks(highest, this.least ?? 0)
		this.max = highest * 1.05 || 1
		const y = v => top + this.inner.height * (1 - v / this.max)
		const drawing = svg("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"},
			ticks.map((tick, i) => [
				svg("line", {class: i ? "grid" : "base", x1: left, x2: width - right, y1: Math.round(y(tick)), y2: Math.round(y(tick))}),
				svg("text", {x: left - 8, y: y(tick) + 4, "text-anchor": "end"}, tick ? (this.tick ?? this.format)(tick) : "0"),
			]),
			this.times(width, height),
			this.lines ? this.drawLines(y) : this.drawBars(y))
		if (!highest) {
			drawing.append(svg("text", {x: left + this.inner.width / 2, y: top + this.inner.height / 2 + 4, "text-anchor": "middle"}, this.empty))
		}
		this.mark = svg("line", {class: "cursor", y1: top, y2: height - bottom, visibility: "hidden"})
		drawing.append(this.mark)
		this.canvas.replaceChildren(drawing)
		this.canvas.setAttribute("aria-valuemax", this.steps - 1)
		this.speak(this.cursor ?? this.steps - 1)
		if (this.cursor !== null && this.cursor !== undefined) this.moveTo(this.cursor, this.tipped)
	}

	highest() {
		let most = 0
		for (let i = 0; i < this.steps; i++) {
			const values = this.shown().map(s => s.values[i])
			most = Math.max(most, this.lines ? Math.max(0, ...values) : values.reduce((a, b) => a + b, 0))
		}
		return most
	}

	drawBars(y) {
		const wide = this.inner.width / this.steps, gap = wide > 6 ? 2 : wide > 3 ? 1 : 0.5
		const base = new Array(this.steps).fill(0)
		return this.shown().map(s => svg("g", {fill: `url(#texture${s.slot})`}, s.values.map((value, i) => {
			if (!value) return null
			const from = base[i]
			base[i] += value
			return svg("rect", {x: left + i * wide + gap / 2, width: wide - gap, y: y(base[i]), height: Math.max(y(from) - y(base[i]), 0.75)})
		})))
	}

	drawLines(y) {
		const x = i => left + (i + .5) * this.inner.width / this.steps
		return this.shown().map(s => {
			let path = "", dots = []
			s.values.forEach((value, i) => {
				if (!value) return
				const joined = s.values[i - 1]
				path += `${joined ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
				if (!joined && !s.values[i + 1]) dots.push(svg("circle", {cx: x(i), cy: y(value), r: 3, fill: colour(s.slot)}))
			})
			return [svg("path", {d: path, fill: "none", stroke: colour(s.slot), "stroke-width": 1.9, "stroke-dasharray": dashes[s.slot], "stroke-linejoin": "round"}), dots]
		})
	}

	// times labels whole hours, or quarters of one, as many as there is room for.
	times(width, height) {
		const span = this.steps * this.step, most = Math.max(2, Math.floor(this.inner.width / 54))
		const every = [5, 10, 15, 30, 60, 120, 180, 360, 720].map(m => m * 60_000).find(e => span / e <= most) ?? 720 * 60_000
		const offset = new Date(this.start).getTimezoneOffset() * 60_000
		const labels = []
		for (let t = Math.ceil((this.start - offset) / every) * every + offset; t < this.start + span; t += every) {
			const x = left + this.inner.width * (t - this.start) / span
			if (x < left + 14 || x > width - right - 14) continue
			labels.push(svg("text", {x, y: height - 5, "text-anchor": "middle"}, timeOf(t)))
		}
		return labels
	}

	key(event) {
		if (!this.series) return
		const now = this.cursor ?? this.steps - 1
		const to = {ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageDown: now - 10, PageUp: now + 10, Home: 0, End: this.steps - 1}[event.key]
		if (event.key === "Escape") this.moved(null)
		if (to === undefined) return
		event.preventDefault()
		this.moved(Math.min(Math.max(to, 0), this.steps - 1), this)
	}

	point(event) {
		if (!this.series || !this.inner) return
		const box = this.canvas.getBoundingClientRect()
		const i = Math.floor((event.clientX - box.left - left) / this.inner.width * this.steps)
		this.moved(i >= 0 && i < this.steps ? i : null, this)
	}

	// moveTo puts the cursor at a step; tipped: with what is there.
	moveTo(i, tipped) {
		this.cursor = i
		this.tipped = tipped
		this.tip.hidden = i === null || !tipped
		if (!this.mark) return
		this.mark.setAttribute("visibility", i === null ? "hidden" : "visible")
		if (i === null) return
		const x = left + (i + .5) * this.inner.width / this.steps
		this.mark.setAttribute("x1", x)
		this.mark.setAttribute("x2", x)
		this.speak(i)
		if (tipped) this.fillTip(i, x)
	}

	// speak tells what is at a step to those who do not see it.
	speak(i) {
		const parts = this.shown().filter(s => s.values[i]).map(s => `${s.name} ${this.format(s.values[i])}`)
		const total = this.lines || parts.length < 2 ? "" : `, together ${this.format(this.shown().reduce((sum, s) => sum + s.values[i], 0))}`
		this.canvas.setAttribute("aria-valuenow", i)
		this.canvas.setAttribute("aria-valuetext", `${this.label(i)}: ${parts.join(", ") || "nothing"}${total}`)
	}

	fillTip(i, x) {
		const rows = this.shown().filter(s => s.values[i])
		const swatches = rows.map(s => {
			const dot = el("span", {class: "dot"})
			dot.style.background = colour(s.slot)
			return el("div", null, dot, el("span", {class: "name"}, s.name), el("span", null, this.format(s.values[i])))
		})
		const total = !this.lines && rows.length > 1 &&
			el("div", {class: "sum"}, el("span", null, "Together"), el("span", null, this.format(rows.reduce((sum, s) => sum + s.values[i], 0))))
		this.tip.replaceChildren(el("b", null, this.label(i)), ...(rows.length ? swatches : [el("span", null, "Nothing")]), ...(total ? [total] : []))
		const room = this.element.clientWidth, inset = this.canvas.offsetLeft
		const wide = this.tip.offsetWidth
		const to = x + inset + 12 + wide > room - 4 ? x + inset - 12 - wide : x + inset + 12
		this.tip.style.left = Math.max(4, Math.min(to, room - wide - 4)) + "px"
		this.tip.style.top = this.canvas.offsetTop + top + "px"
	}

	// fillTable writes the steps in which there was something, the newest first.
	fillTable() {
		if (!this.table.open || !this.series) return
		const rows = []
		for (let i = this.steps - 1; i >= 0; i--) {
			if (!this.series.some(s => s.values[i])) continue
			rows.push(el("tr", null, el("th", {scope: "row"}, this.label(i)),
				this.series.map(s => el("td", {class: "num"}, s.values[i] ? this.format(s.values[i]) : "–"))))
		}
		if (!rows.length) {
			this.body.replaceChildren(el("p", {class: "empty"}, this.empty))
			return
		}
		this.body.replaceChildren(el("table", null, el("caption", {class: "quiet"}, this.title),
			el("thead", null, el("tr", null, el("th", {scope: "col"}, "Time"), this.series.map(s => el("th", {scope: "col", class: "num"}, s.name)))),
			el("tbody", null, rows)))
	}
}

// niceTicks are from 0 to at most most, in steps that people count in.
function niceTicks(most, least) {
	if (!most) return [0]
	const rough = Math.max(most / 4, least), unit = 10 ** Math.floor(Math.log10(rough))
	const step = [1, 2, 5, 10].map(m => m * unit).find(s => s >= rough)
	return Array.from({length: Math.floor(most / step) + 1}, (_, i) => Number((i * step).toPrecision(6)))
}

// spark is the shape of an hour, for a glance.
export function spark(values) {
	const width = 100, height = 36, most = Math.max(...values)
	if (!most) return svg("svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true"})
	const x = i => i * width / (values.length - 1), y = v => height - 1 - (height - 6) * v / most
	const line = values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(2)} ${y(v).toFixed(2)}`).join("")
	return svg("svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true"},
		svg("path", {d: `${line}L${width} ${height}L0 ${height}Z`, fill: "var(--accent-soft)"}),
		svg("path", {d: line, fill: "none", stroke: "var(--accent)", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round"}))
}
