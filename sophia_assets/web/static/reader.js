// What the pages do beyond links and forms; all of them work without it.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  document.documentElement.classList.add("js");

  // The conversation of this tab: the questions alone, never answers.
  const KEY = "sophia.conversation";
  const read = () => { try { return JSON.parse(sessionStorage.getItem(KEY)) || []; } catch { return []; } };
  const keep = (questions) => { try { sessionStorage.setItem(KEY, JSON.stringify(questions)); } catch { /* private mode */ } };
  const forget = () => { try { sessionStorage.removeItem(KEY); } catch { /* private mode */ } };

  const list = one("#conversation"), state = one("#ask-state"), main = one('form[data-ask="main"]');
  let earlier = main ? all('input[name="earlier"]', main).map((input) => input.value) : [];
  let asking = false;

  // `quietly`: for those who listen alone, since it stands in the answer.
  const say = (text, busy = false, quietly = false) => {
    state.textContent = text;
    state.classList.toggle("busy", busy);
    state.classList.toggle("unseen", quietly);
  };

  const parsed = (html) => document.adoptNode(new DOMParser().parseFromString(html, "text/html").body.firstElementChild);

  function show(html) {
    const card = parsed(html);
    list.prepend(card);
    enhance(card);
    const heading = one(".asked", card) || card;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  // One event of a stream: its name and its data.
  function event(block) {
    let name = "", data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      if (line.startsWith("data: ")) data += line.slice(6);
    }
    return data ? [name, JSON.parse(data)] : null;
  }

  async function* events(response) {
    const reader = response.body.getReader(), decoder = new TextDecoder();
    let held = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += decoder.decode(value, { stream: true });
      const blocks = held.split("\n\n");
      held = blocks.pop();
      for (const block of blocks) { const found = event(block); if (found) yield found; }
    }
  }

  async function ask(question) {
    if (asking || !question.trim()) return;
    asking = true;
    say("Looking at the data", true);
    const body = new URLSearchParams({ question, csrf_token: one('input[name="csrf_token"]').value });
    earlier.forEach((each) => body.append("earlier", each));
    try {
      const response = await fetch("/ask", { method: "POST", body, headers: { Accept: "text/event-stream" }, redirect: "error" });
      if (response.status === 401) { location.href = "/login?next=/ask"; return; }
      if (!(response.headers.get("content-type") || "").startsWith("text/event-stream")) throw await refusal(response);
      for await (const [name, data] of events(response)) {
        if (name === "failed") throw new Error(data.message);
        if (name === "answer") {
          show(data.html);
          earlier = data.conversation;
          keep(earlier);
          all("#examples").forEach((each) => each.remove());
          all(".start-over").forEach((each) => { each.hidden = false; });
          one("#question").value = "";
          say(data.said, false, true);
          asking = false;
        }
      }
      if (asking) throw new Error("The answer was cut off. Ask again.");
    } catch (error) {
      say(error instanceof TypeError ? "Sophia cannot be reached. Ask again in a moment." : error.message);
    } finally {
      asking = false;
      state.classList.remove("busy");
    }
  }

  async function refusal(response) {
    const told = await response.json().catch(() => null);
    const what = told && told.error;
    return new Error(what ? `${what.message[0].toUpperCase()}${what.message.slice(1)}. ${what.remedy}` : "This cannot be answered at present.");
  }

  if (main) {
    if (!earlier.length && !one(".answer")) earlier = read();
    if (earlier.length) { keep(earlier); all(".start-over").forEach((each) => { each.hidden = false; }); }
    document.addEventListener("submit", (submitted) => {
      const form = submitted.target;
      if (!form.dataset.ask) return;
      submitted.preventDefault();
      const question = submitted.submitter && submitted.submitter.name === "question" ? submitted.submitter.value : form.elements.question.value;
      ask(question);
    });
    all("[data-start-over]").forEach((button) => button.addEventListener("click", () => { forget(); location.href = "/ask"; }));
  } else {
    // The small box on other pages goes on with the conversation.
    all('form[data-ask="small"]').forEach((form) => form.addEventListener("submit", () => read().forEach((question) => {
      const input = document.createElement("input");
      input.type = "hidden"; input.name = "earlier"; input.value = question;
      form.append(input);
    })));
  }
  if (one("form.login")) forget();
  all('form[action="/logout"]').forEach((form) => form.addEventListener("submit", forget));
  all("[data-print]").forEach((button) => button.addEventListener("click", () => print()));

  // Tables that can be put in order by any column.
  const SCALE = { K: 1e3, M: 1e6, B: 1e9 };
  function number(text) {
    const found = text.replace(/[,\s]/g, "").replace("\u2212", "-").match(/^([-+]?)[^\d-]*(-?\d+(?:\.\d+)?)([KMB])?/);
    return found ? (found[1] === "-" || text.startsWith("down") ? -1 : 1) * found[2] * (SCALE[found[3]] || 1) : NaN;
  }
  function sort(table, place, heading) {
    const descending = heading.getAttribute("aria-sort") === "ascending" || (heading.classList.contains("n") && !heading.hasAttribute("aria-sort"));
    const body = table.tBodies[0];
    const text = (row) => row.cells[place].textContent.trim();
    const rows = [...body.rows].sort((left, right) => {
      const a = number(text(left)), b = number(text(right));
      if (heading.classList.contains("n") && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b);
      const order = heading.classList.contains("n") ? a - b : text(left).localeCompare(text(right));
      return descending ? -order : order;
    });
    all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows);
  }
  function enhance(within) {
    all("table[data-sortable]", within).forEach((table) => all("thead th", table).forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, place, heading));
    }));
  }
  enhance(document);

  // The list of figures narrows while one types.
  const filter = one('[data-filter="metrics"]');
  if (filter) filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    all("[data-entry]").forEach((entry) => {
      entry.hidden = !words.every((word) => entry.dataset.entry.includes(word));
      found += !entry.hidden;
    });
    all("[data-group]").forEach((group) => { group.hidden = !one("[data-entry]:not([hidden])", group); });
    one("#filter-state").textContent = words.length ? `${found} found` : "";
  });
})();
