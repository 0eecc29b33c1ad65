// What is so now: figures, providers, limits, calls.

import {duration, el, exact, money, none, number, percent, put, svg, table, tableRow, timeOf, until, when} from "./format.js"
import {spark} from "./plot.js"

export function showTiles(at, data) {
	const hour = data.last_hour, day = data.last_day, today = data.today, minutes = data.minutes
	const tiles = [
		["In flight", exact(data.status.in_flight, number), "calls being served"],
		["Calls per minute", exact(data.calls_per_minute, number), "last 60 seconds", minutes.requests],
		["Error rate", percent(hour.errors, hour.requests), hour.requests ? `${number(hour.errors)} of ${number(hour.requests)}, last hour` : "no calls in the last hour", minutes.errors, hour.errors > 0 && hour.errors / hour.requests >= .05],
		["Tokens per minute", exact(data.tokens_per_minute, number), "last 60 seconds", minutes.tokens],
		["Cost today", exact(today.cost, money), today.unpriced ? `${number(today.unpriced)} calls have no price` : "since midnight UTC", minutes.cost],
		["Cache hits", percent(day.cache_hits, day.cache_asked), day.cache_asked ? `${number(day.cache_hits)} of ${number(day.cache_asked)}, 24 h` : "no lookups in 24 h"],
	]
	put(at, tiles.map(([title, value, note, values, bad]) => el("div", {class: "tile"},
		el("dt", null, title),
		el("dd", {class: bad ? "value bad" : "value"}, value),
		el("dd", {class: "note"}, note),
		el("dd", {class: "spark", "aria-hidden": "true"}, values ? spark(values.slice(0, -1)) : null))))
}

// Words for states, how grave they are, and what they mean.
const states = {
	ready: ["good", "can be used"], disabled: ["dim", "taken out of use by an operator"], down: ["bad", "its health check fails"],
	open: ["bad", "its breaker is open after failures"], refusing: ["bad", "it refuses connections"],
	busy: ["warn", "it said that it is overloaded"], limited: ["warn", "it said that a rate limit is reached"],
	keyless: ["bad", "every key was refused"],
}
const shapes = {
	good: "M2 6.5 L5 9.5 L10.5 3", dim: "M2 6 H10", warn: "M6 1.5 L11 10.5 H1 Z M6 5 V7.5", bad: "M2.5 2.5 L9.5 9.5 M9.5 2.5 L2.5 9.5",
}

function state(name) {
	const [grade, meaning] = states[name] ?? ["dim", ""]
	return el("span", {class: "state " + grade, title: meaning || null},
		svg("svg", {viewBox: "0 0 12 12", "aria-hidden": "true"}, svg("path", {d: shapes[grade], fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linejoin": "round", "stroke-linecap": "round"})),
		name)
}

const mostTargets = 40

export function showProviders(at, note, data) {
	const now = Date.parse(data.now), handlers = data.status.handlers
	const all = handlers.flatMap(h => h.providers ?? [])
	put(note, all.length ? `${all.filter(p => p.state === "ready").length} of ${all.length} ready` : "")
	const wait = row => row.until ? [until(row.until, now), el("span", {class: "sub"}, when(row.until, now))] : none
	const columns = [
		["Provider and models", row => row.type ? el("span", {class: "name"}, row.name, row.type !== row.name && el("span", {class: "aside"}, " " + row.type)) : el("span", {class: "name"}, row.model)],
		["State", row => row.state ? [state(row.state), row.last_error && el("span", {class: "sub"}, `last: ${row.last_error.class.replaceAll("_", " ")}, ${when(row.last_error.at, now)}`)] : none],
		["Ready again in", wait, "num"],
		["In flight", row => exact(row.in_flight ?? 0, number), "num"],
		["Expected duration", row => duration(row.latency_ms), "num"],
		["Expected first token", row => duration(row.ttft_ms), "num"],
		["Keys, room left", keysOf],
	]
	const tables = handlers.filter(h => h.providers?.length).map((handler, i) => {
		const bodies = handler.providers.map(p => {
			const targets = (p.targets ?? []).slice(0, mostTargets).map(t => ({...t, kind: "minor"}))
			const more = (p.targets ?? []).length - targets.length
			return [{...p, kind: "lead"}, ...targets, ...(more > 0 ? [{model: `and ${more} more`, kind: "minor"}] : [])]
		})
		const title = handlers.length > 1 ? `Handler ${i + 1}, server ${handler.server}` : "Providers"
		return [title, table(title, columns, bodies, handlers.length < 2)]
	})
	const routes = data.routes.flatMap((h, i) => h.models.map(m => ({...m, server: data.routes.length > 1 ? `handler ${i + 1}` : ""})))
	if (routes.length) tables.push(["Models", table("Models", routeColumns, [routes.slice(0, 200)], false)])
	putRegions(at, tables, "The config has no llm_proxy handler with providers.")
}

const routeColumns = [
	["Model", m => [el("span", {class: "name"}, m.name), (m.server || m.match) && el("span", {class: "sub"}, [m.server, m.match && "for some requests"].filter(Boolean).join(", "))]],
	["Policy", m => m.policy || none],
	["Targets, in order", m => m.targets.map(t => el("div", {class: "named"}, t.state ? state(t.state) : null, el("span", null, t.target), t.weight > 1 && el("span", {class: "dim"}, `weight ${t.weight}`)))],
	["Then", m => m.fallback?.join(", ") || none],
]

function keysOf(row) {
	if (!row.type) return roomOf(row)
	const keys = row.keys ?? [], bad = keys.filter(k => k.state !== "ready")
	if (!keys.length) return none
	return [
		bad.length ? `${keys.length - bad.length} of ${keys.length} ready` : `${keys.length} ready`,
		bad.map(k => el("span", {class: "sub"}, `no. ${k.index + 1} ${k.state}`)),
	]
}

// roomOf is what a provider said of its own limits for a model: of each key the limit
// of which least is left.
function roomOf(target) {
	const share = h => h.max ? h.remaining / h.max : 1
	const least = new Map()
	for (const h of target.headroom ?? []) {
		if (!least.has(h.key) || share(h) < share(least.get(h.key))) least.set(h.key, h)
	}
	const limited = (target.limited_keys ?? []).map(k => el("span", {class: "sub warn"}, `no. ${k.index + 1} ${k.state}`))
	return [limited, [...least.values()].slice(0, 4).map(h => el("span", {class: "sub"},
		`no. ${h.key + 1}: ${number(h.remaining)}${h.max ? " of " + number(h.max) : ""} ${h.limit.replace("_", " ")} left`))]
}

// putRegions shows tables, each in a region that can be scrolled and keeps its place
// and the focus while what is in it changes.
function putRegions(at, tables, empty) {
	const regions = [...at.querySelectorAll(":scope > .scroll")]
	if (!tables.length || regions.length !== tables.length) {
		at.replaceChildren(...(tables.length ? tables.map(() => el("div", {class: "scroll", tabindex: 0, role: "region"})) : [el("p", {class: "empty"}, empty)]))
	}
	tables.forEach(([label, content], i) => {
		at.children[i].setAttribute("aria-label", "Table: " + label)
		put(at.children[i], content)
	})
}

const mostLimits = 100

export function showLimits(at, note, data) {
	const now = Date.now()
	const share = l => Number(l.max) > 0 ? Number(l.used) / Number(l.max) : 1
	const seen = new Set()
	const rows = data.reports.flatMap(r => r.limits).filter(l => {
		const same = JSON.stringify([l.scope, l.id, l.limit, l.used, l.max])
		return !seen.has(same) && seen.add(same)
	}).sort((a, b) => share(b) - share(a))
	const degraded = data.reports.some(r => r.degraded)
	put(note, [degraded && "The store of the counters cannot be reached.", rows.length > mostLimits && `The fullest ${mostLimits} of ${rows.length}.`,
		data.omitted > 0 && `${number(data.omitted)} keys that did not call are left out.`].filter(Boolean).join(" "))
	const amount = (l, text) => exact(Number(text), l.kind === "budget" || l.limit.startsWith("budget") ? money : number)
	const columns = [
		["Of", l => [el("span", {class: "name"}, l.scope === "handler" ? "whole handler" : l.id), el("span", {class: "sub"}, l.scope === "handler" ? l.id : scopes[l.scope] ?? l.scope)]],
		["Limit", l => l.limit],
		["Used", l => [gauge(l, share(l)), el("span", {class: "sub"}, amount(l, l.used), " of ", amount(l, l.max))], "wide"],
		["Resets in", l => l.resets_at ? until(l.resets_at, now) : none, "num"],
	]
	const tables = rows.length ? [["Limits and budgets", table("Limits and budgets, the fullest first", columns, [rows.slice(0, mostLimits)])]] : []
	putRegions(at, tables, "No limit and no budget is configured.")
}

const scopes = {key: "key", group: "group", model: "model", provider: "provider", provider_key: "provider's key"}

function gauge(limit, part) {
	const full = Math.min(1, Math.max(0, part)), grade = full >= .95 ? "bad" : full >= .8 ? "warn" : ""
	return el("div", {class: "gauge"},
		el("div", {class: "track", role: "meter", "aria-label": `${limit.limit} of ${limit.id || limit.scope}`, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * full), "aria-valuetext": `${percent(full, 1)} used`},
			svg("svg", {"aria-hidden": "true"}, svg("rect", {class: "fill " + grade, width: (100 * full).toFixed(1) + "%", height: "100%"}))),
		el("span", {class: "share " + grade}, percent(full, 1)))
}

const endings = {
	complete: ["good", "complete"], refused: ["warn", "refused"], failed: ["bad", "failed"], broken: ["bad", "broken off"], client_gone: ["dim", "client left"],
}
const callColumns = [
	["Time", c => el("time", {datetime: c.time, title: new Date(c.time).toString() + "\n" + c.request_id}, timeOf(c.time, true))],
	["Result", result],
	["Key", c => c.key ? el("span", {class: "name"}, c.key) : el("span", {class: "dim"}, "nobody known")],
	["Asked for", c => [el("span", {class: "name"}, c.requested_model || none), c.operation !== "chat" && el("span", {class: "sub"}, c.operation)]],
	["Served by", served],
	["Attempts", c => exact(c.attempts, number), "num"],
	["Tokens in", c => exact(c.input, number), "num"],
	["out", c => exact(c.output, number), "num"],
	["Cost", c => c.cost === undefined ? el("span", {class: "dim"}, none) : exact(c.cost, money), "num"],
	["First token", c => duration(c.ttft_ms), "num"],
	["Duration", c => duration(c.duration_ms), "num"],
	["Cache", c => c.cache || none],
]

function served(c) {
	const last = c.failures?.at(-1)
	// What was tried last stands as the provider though it did not answer.
	const answered = c.provider && !(c.ending === "failed" && last)
	const tried = (c.failures ?? []).map(f => el("span", {class: "sub"}, `${answered ? "after " : "tried "}${f.provider}/${f.model}: ${f.kind.replaceAll("_", " ")}`))
	if (!answered) return [!tried.length && el("span", {class: "dim"}, none), tried]
	return [el("span", {class: "name", title: `${c.provider}/${c.model ?? ""}`}, [c.provider, c.model].filter(Boolean).join("/")), tried]
}

function result(c) {
	const [grade, word] = endings[c.ending] ?? ["dim", c.ending]
	return [el("span", {class: "state " + grade},
		svg("svg", {viewBox: "0 0 12 12", "aria-hidden": "true"}, svg("path", {d: shapes[grade], fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linejoin": "round", "stroke-linecap": "round"})),
		`${c.status} ${word}`), c.error && el("span", {class: "sub"}, c.error.replaceAll("_", " "))]
}

export function showCalls(at, note, calls, onlyErrors, find) {
	const wanted = find.trim().toLowerCase()
	const shown = calls.filter(c => (!onlyErrors || c.ending !== "complete" || c.failures) && (!wanted || JSON.stringify(c).toLowerCase().includes(wanted)))
	put(note, calls.length ? shown.length < calls.length ? `${shown.length} of the last ${calls.length}` : `the last ${calls.length} to end` : "")
	if (!shown.length) {
		put(at, el("p", {class: "empty"}, calls.length ? "No call is like that." : "No calls yet. What comes from now on shows up here."))
		return
	}
	let body = at.querySelector("tbody")
	if (!body) {
		at.replaceChildren(table("Recent calls, the last to end first", callColumns, [[]]))
		body = at.querySelector("tbody")
	}
	// Rows of calls that are there already stay the same elements.
	const old = new Map([...body.rows].map(row => [row.dataset.id, row]))
	body.replaceChildren(...shown.map(c => {
		const id = c.request_id + c.time
		const row = old.get(id) ?? tableRow(callColumns, c)
		row.dataset.id = id
		return row
	}))
}
