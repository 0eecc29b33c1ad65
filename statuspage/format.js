// How things are written: numbers, times, elements.

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0})
const short = new Intl.NumberFormat("en", {notation: "compact", maximumSignificantDigits: 3})
const cents = new Intl.NumberFormat("en", {style: "currency", currency: "USD"})
const fine = new Intl.NumberFormat("en", {style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 9, maximumSignificantDigits: 2})
const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit"})
const seconds = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"})
const dayAndTime = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit"})

export const none = "–"

export const number = n => Math.abs(n) < 100_000 ? whole.format(n) : short.format(n)
// shortNumber is for round ones.
export const shortNumber = n => n < 10_000 ? whole.format(n) : short.format(n)
export const money = n => n === 0 ? "$0" : Math.abs(n) >= 0.1 ? cents.format(n) : fine.format(n)
export const percent = (part, all) => {
	if (!all) return none
	const p = 100 * part / all
	return p > 0 && p < 0.1 ? "<0.1%" : p < 10 && p % 1 ? p.toFixed(1) + "%" : Math.round(p) + "%"
}

export function duration(ms) {
	if (!ms) return none
	if (ms < 0.1) return "<0.1 ms"
	if (ms < 10) return ms.toFixed(1) + " ms"
	if (ms < 1000) return Math.round(ms) + " ms"
	if (ms < 60_000) return (ms / 1000).toFixed(ms < 10_000 ? 2 : 1) + " s"
	return Math.floor(ms / 60_000) + " m " + String(Math.floor(ms / 1000) % 60).padStart(2, "0") + " s"
}

// shortDuration is for round numbers of milliseconds.
export const shortDuration = ms => ms < 1000 ? `${ms} ms` : ms < 600_000 ? `${ms / 1000} s` : `${Math.round(ms / 60_000)} m`

export const timeOf = (at, exact) => (exact ? seconds : clock).format(new Date(at))

// when is a time of today, or one with its day.
export function when(at, now = Date.now()) {
	const date = new Date(at)
	return Math.abs(date - now) < 12 * 3600e3 ? seconds.format(date) : dayAndTime.format(date)
}

// until is how long it is till then, in one unit or two.
export function until(at, now) {
	let s = Math.max(0, Math.round((new Date(at) - now) / 1000))
	if (s < 60) return s + " s"
	if (s < 3600) return Math.floor(s / 60) + " m " + String(s % 60).padStart(2, "0") + " s"
	if (s < 48 * 3600) return Math.floor(s / 3600) + " h " + String(Math.floor(s / 60) % 60).padStart(2, "0") + " m"
	return Math.floor(s / 86400) + " days"
}

// el makes an element. Texts become text nodes: nothing that a client sent is ever markup.
export function el(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children)
}

// svg is el for drawings.
export function svg(tag, attributes, ...children) {
	return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value)
	}
	element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false))
	return element
}

// exact is a number that reads well, with its exact value for programs.
export const exact = (value, format) => el("data", {value, title: format(value) === String(value) ? null : String(value)}, format(value))

// put replaces what an element holds, unless it is the same already: what is
// selected or has the focus stays so.
export function put(element, ...children) {
	const fresh = el("div", null, ...children)
	if (fresh.innerHTML !== element.innerHTML) element.replaceChildren(...fresh.childNodes)
}

// table makes one of columns [title, cell(row), class] and rows; the first column names the row.
export function table(caption, columns, bodies, hideCaption = true) {
	return el("table", null,
		el("caption", {class: hideCaption ? "quiet" : null}, caption),
		el("thead", null, el("tr", null, columns.map(([title, , kind]) => el("th", {scope: "col", class: kind}, title)))),
		bodies.map(rows => el("tbody", null, rows.map(row => tableRow(columns, row)))))
}

export function tableRow(columns, row) {
	return el("tr", {class: row.kind}, columns.map(([, cell, kind], i) =>
		i === 0 ? el("th", {scope: "row", class: kind}, cell(row)) : el("td", {class: kind}, cell(row))))
}
