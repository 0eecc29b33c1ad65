// The status page: fetches what is new every few seconds, while anybody looks.

import {duration, el, exact, money, none, number, percent, put, shortDuration, shortNumber, table, timeOf, when} from "./format.js"
import {Plot, defineTextures, maxSeries, swatch} from "./plot.js"
import {showCalls, showLimits, showProviders, showTiles} from "./tables.js"

const $ = id => document.getElementById(id)
const state = {range: "1h", by: "model", alone: null, paused: false, calls: [], report: null, updated: 0, ...choices()}

// choices are kept in the address, so that it can be shared.
function choices() {
	const said = new URLSearchParams(location.hash.slice(1))
	const pick = (name, values) => values.includes(said.get(name)) ? {[name]: said.get(name)} : {}
	return {...pick("range", ["1h", "6h", "24h"]), ...pick("by", ["model", "key", "provider"])}
}

const measures = {
	p50: "Duration, median", p95: "Duration, 95th percentile", ttft_p50: "First token, median", ttft_p95: "First token, 95th percentile",
}
const measure = el("select", {"aria-label": "Latency measure"}, Object.entries(measures).map(([value, text]) => el("option", {value}, text)))
const add = (a, b) => a.map((n, i) => n + b[i])
const plots = [
	{title: "Requests", format: number, tick: shortNumber, least: 1, values: p => p.requests, empty: "No calls", whole: s => number(s.requests)},
	{title: "Tokens", format: number, tick: shortNumber, least: 1, values: p => add(p.input, p.output), empty: "No tokens", whole: s => `${number(s.input)} in, ${number(s.output)} out`},
	{title: "Cost", format: money, values: p => p.cost, empty: "No costs", whole: s => money(s.cost)},
	{title: "Latency", format: duration, tick: shortDuration, values: p => p[measure.value], empty: "No complete answers", lines: true, control: measure, whole: () => ""},
].map(options => new Plot(options, moved))

function moved(step, plot) {
	for (const p of plots) p.moveTo(step, p === plot)
}

// What a name is called that is none.
const nameless = {model: "no model", key: "nobody known", provider: "no provider"}
const nameOf = s => s.other ? "all others" : s.name || nameless[state.by]

const idOf = s => s.other ? "\0" : s.name

// A name keeps its colour and its place while it is plotted, whatever its weight.
const slots = new Map()
function assignSlots(plotted) {
	const wanted = new Set(plotted.map(s => state.by + idOf(s)))
	for (const id of slots.keys()) {
		if (!wanted.has(id)) slots.delete(id)
	}
	for (const id of wanted) {
		if (slots.has(id)) continue
		const taken = new Set(slots.values())
		slots.set(id, [...Array(maxSeries).keys()].find(slot => !taken.has(slot)))
	}
}
const slotOf = s => s.points ? slots.get(state.by + idOf(s)) : maxSeries - 1

function showHistory() {
	const report = state.report, plotted = report.series.filter(s => s.points)
	assignSlots(plotted)
	const series = plotted.map(s => ({id: idOf(s), name: nameOf(s), slot: slotOf(s), points: s.points, sum: s.sum})).sort((a, b) => a.slot - b.slot)
	if (report.rest) {
		const n = report.series.length - series.length
		series.push({id: "\0rest", name: `${n} more`, slot: maxSeries - 1, points: report.rest.points, sum: report.rest.sum})
	}
	if (!series.some(s => s.id === state.alone)) state.alone = null
	showLegend(series)
	const alone = series.find(s => s.id === state.alone)
	for (const plot of plots) {
		plot.show(series, report, state.alone)
		put(plot.sum, plot.whole((alone ?? report.all).sum))
	}
	showSums(report)
}

function showLegend(series) {
	const focused = [...$("legend").children].indexOf(document.activeElement)
	put($("legend"), series.map(s => el("button", {type: "button", "aria-pressed": String(s.id === state.alone), title: s.name}, swatch(s.slot), el("span", {class: "name"}, s.name))))
	if (focused >= 0) $("legend").children[focused]?.focus()
	;[...$("legend").children].forEach((button, i) => {
		button.onclick = () => {
			state.alone = state.alone === series[i].id ? null : series[i].id
			showHistory()
		}
	})
}

const sumColumns = () => [
	[{model: "Model", key: "Key", provider: "Provider"}[state.by], r => el("span", {class: "named"}, r.slot === undefined ? null : swatch(r.slot), el("span", {class: "name"}, r.title))],
	["Requests", r => exact(r.sum.requests, number), "num"],
	["Errors", r => exact(r.sum.errors, number), "num"],
	["Error rate", r => percent(r.sum.errors, r.sum.requests), "num"],
	["Failed attempts", r => exact(r.sum.failed_attempts, number), "num"],
	["Tokens in", r => exact(r.sum.input, number), "num"],
	["Tokens out", r => exact(r.sum.output, number), "num"],
	["Cost", r => [exact(r.sum.cost, money), r.sum.unpriced > 0 && el("span", {class: "sub"}, `${number(r.sum.unpriced)} unpriced`)], "num"],
	["Median", r => duration(r.latency.p50), "num"],
	["95th", r => duration(r.latency.p95), "num"],
	["First token", r => duration(r.latency.ttft_p50), "num"],
	["Cache hits", r => r.sum.cache_asked ? percent(r.sum.cache_hits, r.sum.cache_asked) : none, "num"],
]

function showSums(report) {
	if (!report.series.length) {
		put($("sums"), el("p", {class: "empty"}, "No calls in this time. What comes from now on shows up here."))
		return
	}
	const rows = report.series.map(s => ({...s, title: nameOf(s), slot: slotOf(s)}))
	const all = {...report.all, title: "All", kind: "lead"}
	put($("sums"), table(`Sums of the last ${state.range} by ${state.by}`, sumColumns(), report.series.length > 1 ? [rows, [all]] : [rows]))
}

// Each part of the page, where its data come from and how often.
const parts = [
	{every: 3000, path: () => "data/overview", show: showOverview},
	{every: 3000, path: () => "data/calls", show: calls => { state.calls = calls; renderCalls() }},
	{every: 10_000, path: () => "data/limits", show: data => showLimits($("limit-tables"), $("limits-note"), data)},
	{every: 10_000, path: () => `data/history?range=${state.range}&by=${state.by}`, show: report => { state.report = report; showHistory() }},
]

function showOverview(data) {
	showTiles($("tiles"), data)
	showProviders($("provider-tables"), $("providers-note"), data)
	put($("footnote"), `Gathered in this instance's memory since ${when(data.since)}; a restart begins anew. Times are of this browser, days are UTC.`)
}

const renderCalls = () => showCalls($("call-table"), $("calls-note"), state.calls, $("only-errors").checked, $("find").value)

// Away is why there are no new data.
class Away extends Error {}

const signedOut = response => response.type === "opaqueredirect" || response.status === 401 || response.status === 403

async function fetchData(path) {
	let response
	try {
		response = await fetch(path, {signal: AbortSignal.timeout(15_000), redirect: "manual"})
		if (response.ok) return await response.json()
	} catch {
		throw new Away("The server cannot be reached.")
	}
	throw new Away(signedOut(response) ? "You are not signed in any more: reload the page." : `The server answers ${response.status}.`)
}

async function load(part) {
	const path = part.path()
	part.next = Infinity // while it is under way
	try {
		const data = await fetchData(path)
		part.failures = 0
		state.updated = Date.now()
		if (path === part.path()) part.show(data) // or another one was chosen since
	} catch (error) {
		if (!(error instanceof Away)) throw error
		part.failures = (part.failures ?? 0) + 1
		part.why = error.message
	} finally {
		part.next = path === part.path() ? Date.now() + part.every * Math.min(2 ** (part.failures ?? 0), 16) : 0
		showFreshness()
	}
}

function showFreshness() {
	const failing = parts.find(p => p.failures > 1 || p.failures && !state.updated)
	$("trouble").hidden = !failing
	if (failing) put($("trouble"), failing.why, state.updated ? ` What you see is of ${timeOf(state.updated, true)}.` : "")
	const text = state.paused ? "Paused" : failing ? "Not up to date" : state.updated ? "Live" : "Loading"
	const at = $("freshness")
	at.dataset.state = state.paused ? "paused" : failing ? "lost" : state.updated ? "live" : ""
	if (at.textContent !== text) at.textContent = text // it is read out
	at.title = state.updated ? "updated at " + timeOf(state.updated, true) : ""
}

function tick() {
	if (state.paused || document.hidden) return
	for (const part of parts) {
		if ((part.next ?? 0) <= Date.now()) load(part)
	}
}

function choose(name, value) {
	state[name] = value
	state.alone = null
	window.history.replaceState(null, "", `#range=${state.range}&by=${state.by}`)
	const part = parts[3]
	if (part.next !== Infinity) part.next = 0
	tick()
}

for (const name of ["range", "by"]) {
	for (const input of $(name).querySelectorAll("input")) {
		input.checked = input.value === state[name]
		input.addEventListener("change", () => choose(name, input.value))
	}
}
measure.addEventListener("change", () => state.report && showHistory())
$("only-errors").addEventListener("change", renderCalls)
$("find").addEventListener("input", renderCalls)
$("pause").addEventListener("click", () => {
	state.paused = !state.paused
	$("pause").setAttribute("aria-pressed", String(state.paused))
	showFreshness()
	tick()
})
document.addEventListener("visibilitychange", tick)
defineTextures()
$("plots").append(...plots.map(p => p.element))
setInterval(tick, 500)
tick()
