// Looks at the status page with Chromium. What to look at comes from stdin; each check
// is a line of JSON: {"Name", "OK", "Why"}.

import {readFileSync} from "node:fs"
import puppeteer from "puppeteer-core"

const {base, page: address, user, password, chromium, shots} = JSON.parse(readFileSync(0, "utf8"))
const patience = 30_000
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8")

const browser = await puppeteer.launch({executablePath: chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"]})
process.on("SIGTERM", () => browser.process()?.kill())

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const report = (name, why, note = "") => console.log(JSON.stringify({Name: name, OK: !why, Why: why || note}))

// check runs one check, which returns what is wrong, or nothing.
async function check(name, run) {
	try {
		const why = await run()
		report(name, why?.note ? "" : why, why?.note)
	} catch (error) {
		report(name, error.stack)
	}
}

// until asks again until what is wrong is nothing.
async function until(run) {
	const end = Date.now() + patience
	for (;;) {
		const why = await run()
		if (!why || Date.now() > end) return why
		await sleep(250)
	}
}

const complaints = []
async function open() {
	const tab = await browser.newPage()
	tab.on("console", message => ["error", "warn"].includes(message.type()) && complaints.push(`console: ${message.text()}`))
	tab.on("pageerror", error => complaints.push(`error: ${error.message}`))
	tab.on("requestfailed", request => complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`))
	tab.on("request", request => new URL(request.url()).origin === base || complaints.push(`from elsewhere: ${request.url()}`))
	await tab.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation",
		event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)))
	await tab.emulateMediaFeatures([{name: "prefers-reduced-motion", value: "reduce"}]) // or what is clicked is still on its way into sight
	await tab.authenticate({username: user, password})
	return tab
}

async function ask(model, {key = "assistant-secret", stream = false, text = "a few words to say"} = {}) {
	try {
		const response = await fetch(base + "/v1/chat/completions", {
			method: "POST", headers: {authorization: "Bearer " + key},
			body: JSON.stringify({model, stream, messages: [{role: "user", content: text}]}),
		})
		await response.text()
	} catch {} // some break off
}

const hostile = `"><img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`
async function traffic() {
	for (let i = 0; i < 6; i++) {
		await Promise.all([
			ask("smart", {stream: i % 2 === 0, text: "word ".repeat(1 + i * 7)}), ask("careful", {text: "number " + i}), ask("kept"),
			ask("broken"), ask("smart", {key: "bold-secret", text: "again " + i}), ask("careful", {key: "bold-secret", text: "more " + i}), ask("cut", {stream: true}),
		])
	}
	await ask("smart", {key: "wrong"})
}

// metrics are the sums that the page should show, by model; "" has all.
async function metrics() {
	const sums = {}
	const text = await (await fetch(base + "/metrics")).text()
	for (const [, name, labels, value] of text.matchAll(/^caddy_llm_proxy_(\w+)\{(.*)\} (\S+)$/mg)) {
		const label = Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(m => [m[1], m[2]]))
		if (!["requests_total", "failed_attempts_total", "tokens_total", "cost_usd_total"].includes(name)) continue
		for (const at of ["", "model " + label.model]) {
			const sum = sums[at] ??= {requests: 0, errors: 0, failed: 0, input: 0, output: 0, cost: 0}
			const n = Number(value)
			if (name === "requests_total") {
				sum.requests += n
				if (["refused", "failed", "broken"].includes(label.ending)) sum.errors += n
			}
			if (name === "failed_attempts_total") sum.failed += n
			if (name === "tokens_total" && label.kind in sum) sum[label.kind] += n
			if (name === "cost_usd_total") sum.cost += n
		}
	}
	return sums
}

// spoil makes every text that is no time or number hostile.
function spoil(data) {
	if (Array.isArray(data)) return data.map(spoil)
	if (data && typeof data === "object") return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, spoil(value)]))
	return typeof data === "string" && !/^\d/.test(data) ? hostile : data
}

// hostileData looks at the page with data that are nothing but hostile.
async function hostileData() {
	const other = await open()
	await other.setRequestInterception(true)
	other.on("request", async request => {
		if (request.isInterceptResolutionHandled()) return
		if (!request.url().includes("/data/")) return request.continue()
		const answer = await fetch(request.url(), {headers: {authorization: "Basic " + btoa(`${user}:${password}`)}})
		await request.respond({contentType: "application/json", body: JSON.stringify(spoil(await answer.json()))})
	})
	await other.goto(address + "/", {waitUntil: "networkidle0"})
	await sleep(1500)
	const found = await other.evaluate(() => ({
		title: document.title, shown: document.querySelectorAll("#call-table tbody tr, #sums tbody tr, #limit-tables tbody tr, #provider-tables tbody tr").length,
		made: document.querySelectorAll("main img, main script").length, text: document.querySelector("main").innerText.split("<img src=x").length,
	}))
	await other.close()
	await tab.bringToFront()
	if (found.title !== "LLM gateway status" || found.made || found.shown < 20 || found.text < 40) return JSON.stringify(found)
	return {note: JSON.stringify(found)}
}

const tab = await open()
try {
	await lookAtAll()
} finally {
	await browser.close()
}

async function lookAtAll() {
	await check("it leads to a slash and loads", async () => {
		await tab.setViewport({width: 1360, height: 1000})
		const began = Date.now()
		const response = await tab.goto(address, {waitUntil: "networkidle0"})
		const took = await tab.evaluate(() => Math.round(Math.max(...performance.getEntriesByType("resource").map(e => e.responseEnd))))
		if (!response.ok() || tab.url() !== address + "/" && !tab.url().startsWith(address + "/#")) return `${response.status()} at ${tab.url()}`
		return {note: `the page and its first data are there after ${took} ms, ${Date.now() - began} ms with the redirect and the login`}
	})

	await check("it says that there is nothing yet", async () => {
		const text = await tab.evaluate(() => document.body.innerText)
		for (const part of ["No calls yet", "No calls in this time", "east", "budget per day"]) {
			if (!text.includes(part)) return `${part} is not in ${text}`
		}
	})

	await check("it shows a call that is under way", async () => {
		const slow = ask("slow", {text: "one two three four five six seven eight nine ten", stream: true})
		const why = await until(async () => await tile("In flight") === "1" ? "" : `${await tile("In flight")} are in flight`)
		await slow
		return why
	})

	await traffic()
	await check("its figures are those of the metrics", () => until(async () => {
		const want = await metrics()
		const rows = await tab.evaluate(() => [...document.querySelectorAll("#sums tbody tr")].map(row =>
			[row.cells[0].innerText.trim(), ...[...row.querySelectorAll("data")].map(d => Number(d.value))]))
		const wrong = rows.filter(([name, requests, errors, failed, input, output, cost]) => {
			const sum = want[name === "All" ? "" : name === "no model" ? "model " : "model " + name]
			return !sum || sum.requests !== requests || sum.errors !== errors || sum.failed !== failed ||
				sum.input !== input || sum.output !== output || Math.abs(sum.cost - cost) > 1e-9
		})
		if (rows.length !== Object.keys(want).length || rows.length < 7 || wrong.length) return `the page says ${JSON.stringify(rows)}, the metrics ${JSON.stringify(want)}`
		const cost = await tab.evaluate(() => Number(document.querySelector("#tiles .tile:nth-child(5) data").value))
		if (Math.abs(cost - want[""].cost) > 1e-9) return `the cost is ${cost}, not ${want[""].cost}`
		if (await tile("In flight") !== "0") return "something is in flight"
	}))

	await check("no text of the data is markup", async () => {
		if (!(await tab.$eval("#call-table", table => table.innerText)).includes("<b>bold</b>")) return "the key is not there"
		return await hostileData()
	})

	await check("calls can be searched", async () => {
		const rows = () => tab.$$eval("#call-table tbody tr", list => list.length)
		const all = await rows()
		await tab.type("#find", "broken")
		const some = await rows()
		await tab.$eval("#find", input => { input.value = ""; input.dispatchEvent(new Event("input")) })
		await tab.click("#only-errors")
		const bad = await rows()
		await tab.click("#only-errors")
		if (!(some > 0 && some < all && bad > some && bad < all && await rows() === all)) return `${all} calls, ${some} found, ${bad} with errors`
	})

	await check("every control is reached by the keyboard, and shows it", keyboard)

	await check("plots, series and ranges obey the keyboard", async () => {
		await tab.focus(".canvas")
		const said = () => tab.$eval(".canvas", c => c.getAttribute("aria-valuetext"))
		await tab.keyboard.press("End")
		const last = await said()
		await tab.keyboard.press("Home")
		const first = await said()
		if (first === last || !/^\d\d:\d\d: nothing/.test(first)) return `the plot says ${first} and ${last}`
		await tab.keyboard.press("Escape")
		await tab.focus("#range input:checked")
		await tab.keyboard.press("ArrowRight")
		if (!tab.url().endsWith("#range=6h&by=model")) return `the address is ${tab.url()}`
		await until(async () => (await tab.$eval("#sums caption", c => c.textContent)).includes("6h") ? "" : "the range is the old one")
		await tab.focus("#legend button")
		await tab.keyboard.press("Enter")
		const pressed = await tab.$eval("#legend button", b => b.getAttribute("aria-pressed") + (document.activeElement === b))
		await tab.keyboard.press("Enter")
		if (pressed !== "truetrue") return `the series is ${pressed}`
		await tab.$eval("#plots summary", s => s.click())
		const cells = await until(async () => await tab.$$eval("#plots details[open] td", c => c.length) ? "" : "a plot has no table")
		await tab.$eval("#plots summary", s => s.click())
		if (cells) return cells
		for (const by of ["key", "provider", "model"]) {
			await tab.$eval(`#by input[value=${by}]`, input => input.click())
			const why = await until(async () => (await tab.$eval("#sums caption", c => c.textContent)).endsWith("by " + by) ? "" : `it does not show ${by}s`)
			if (why) return why
		}
	})

	await check("nobody looks, nothing is fetched", async () => {
		let asked = 0
		const count = request => { if (request.url().includes("/data/")) asked++ }
		await tab.click("#pause")
		await sleep(1000)
		tab.on("request", count)
		await sleep(4000)
		if (asked) return `${asked} requests while it is paused`
		await tab.click("#pause")
		const resumed = await until(() => asked ? "" : "it does not go on")
		await tab.evaluate(() => Object.defineProperty(document, "hidden", {get: () => true, configurable: true}))
		await sleep(1000)
		asked = 0
		await sleep(4000)
		const hidden = asked
		await tab.evaluate(() => { delete document.hidden })
		tab.off("request", count)
		return resumed || (hidden ? `${hidden} requests while it is hidden` : "")
	})

	for (const scheme of ["light", "dark"]) {
		await tab.emulateMediaFeatures([{name: "prefers-color-scheme", value: scheme}, {name: "prefers-reduced-motion", value: "reduce"}])
		for (const width of [320, 360, 768, 1360]) {
			await tab.setViewport({width, height: 900})
			await check(`it fits into ${width} pixels, ${scheme}`, async () => {
				await sleep(300)
				const wide = await tab.evaluate(() => [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, .quiet, svg") && e.getBoundingClientRect().right > innerWidth + 1)
					.map(e => e.outerHTML.slice(0, 80)))
				const scrolls = await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth)
				if (scrolls || wide.length) return `too wide: ${wide.join("\n")}`
			})
			if (width === 360 || width === 1360) await check(`axe finds nothing at ${width} pixels, ${scheme}`, accessibility)
			if (shots && (width === 360 || width === 1360)) {
				await tab.setViewport({width, height: 900, deviceScaleFactor: 2})
				await sleep(300)
				await tab.screenshot({path: `${shots}/${scheme}-${width}.png`, fullPage: true})
			}
		}
	}

	await check("no errors, no violations of the policy, nothing from elsewhere", () => complaints.join("\n"))

	await check("it says that the server is away, and that it is back", async () => {
		await tab.setOfflineMode(true)
		const notice = () => tab.$eval("#trouble", n => n.hidden ? "" : n.textContent)
		const gone = await until(async () => (await notice()).startsWith("The server cannot be reached.") ? "" : "it does not say so")
		await tab.setOfflineMode(false)
		return gone || await until(async () => await notice() === "" ? "" : "it is not back")
	})
}

function tile(name) {
	return tab.evaluate(name => [...document.querySelectorAll(".tile")].find(t => t.querySelector("dt").textContent === name)?.querySelector(".value").innerText, name)
}

async function keyboard() {
	await tab.reload({waitUntil: "networkidle0"})
	const wanted = await tab.evaluate(() => {
		const wanted = [...document.querySelectorAll("a, button, select, summary, input, .canvas, .scroll")].filter(e => e.checkVisibility() && !e.closest("details:not([open]) > .scroll"))
			.filter(e => e.type !== "radio" || e.checked)
		window.wantedStops = wanted // an attribute would be a change, which the page repairs
		return wanted.map(e => e.outerHTML.slice(0, 90))
	})
	const reached = new Set(), unseen = []
	let last = -1, backwards = 0
	for (let i = 0; i < wanted.length + 10; i++) {
		await tab.keyboard.press("Tab")
		const at = await tab.evaluate(() => {
			const e = document.activeElement
			if (e === document.body) return null
			const shown = getComputedStyle(e.type === "radio" ? e.nextElementSibling : e)
			const box = (e.type === "radio" ? e.nextElementSibling : e).getBoundingClientRect()
			return {i: window.wantedStops.indexOf(e), html: e.outerHTML.slice(0, 90), seen: shown.outlineStyle !== "none" && parseFloat(shown.outlineWidth) >= 1 && box.width > 1 && box.bottom > 0 && box.top < innerHeight}
		})
		if (!at) break
		if (!at.seen) unseen.push(at.html)
		if (at.i < last) backwards++
		last = at.i
		reached.add(at.i)
	}
	const missed = wanted.filter((_, i) => !reached.has(i))
	if (missed.length || unseen.length || backwards) return `not reached: ${missed.join("\n")}\nwithout a visible focus: ${unseen.join("\n")}\n${backwards} steps backwards`
	return {note: `${reached.size} stops`}
}

async function accessibility() {
	const found = await tab.evaluate(`${axe}; axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})`)
	const passed = found.passes.length
	if (found.violations.length) {
		return found.violations.map(v => `${v.id}: ${v.help}\n` + v.nodes.slice(0, 5).map(n => `  ${n.target} ${n.failureSummary}`).join("\n")).join("\n")
	}
	return {note: `${passed} rules passed`}
}
