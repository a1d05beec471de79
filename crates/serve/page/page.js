
"use strict";
// Everything that comes from outside becomes text or the source of a picture, never markup.
const AT_ONCE = 8, NEIGHBOURS = 5, TOP = 5, TRIES = 30;
const by = (id) => document.getElementById(id);
const percent = (share) => (share >= 0.9995 ? ">99.9 %" : share < 0.0005 ? "<0.1 %" : (100 * share).toFixed(1) + " %");

function element(name, parent, text, style) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  parent.append(made);
  return made;
}

let model = null;
const waiting = [];
let running = 0, asked = 0, done = 0, generation = 0;

async function begin() {
  try {
    model = await (await fetch("model")).json();
  } catch {
    by("about").textContent = "The server does not answer. Start it again, and load this page again.";
    return;
  }
  const classes = model.classes, shown = classes.slice(0, 12).join(", ");
  by("title").textContent = classes.length <= 4 ? classes.join(", ").replace(/, ([^,]*)$/, " or $1") + "?" : "Ask the model";
  by("about").textContent = `${model.arch} knows ${classes.length} ${classes.length === 1 ? "class" : "classes"}: ${shown}` +
    (classes.length > 12 ? ` and ${classes.length - 12} more.` : ".");
  document.title = by("title").textContent;
}
const ready = begin();

class Card {
  constructor(file) {
    this.file = file;
    this.generation = generation;
    this.item = element("li", by("photos"), undefined, "photo");
    const top = element("div", this.item, undefined, "top");
    this.view = element("div", top, undefined, "view");
    this.text = element("div", top);
    this.heading = element("h2", this.text, "Waiting…");
    element("p", this.text, file.name, "name").title = file.name;
    this.url = URL.createObjectURL(file);
    this.picture = document.createElement("img");
    this.picture.alt = file.name;
    this.picture.onerror = () => this.view.replaceChildren("no preview");
    this.picture.src = this.url;
    this.view.append(this.picture);
    this.heat = null;
  }

  // A request that may be asked again where there was no room.
  async ask(query) {
    for (let tries = 0; ; tries++) {
      const response = await fetch("predict" + query, { method: "POST", body: this.file });
      if (response.status !== 503 || tries >= TRIES) return [response, await response.json()];
      await new Promise((resolve) => setTimeout(resolve, 1000 * (Number(response.headers.get("retry-after")) || 1)));
    }
  }

  async run() {
    this.heading.textContent = "Looking…";
    if (model && this.file.size > model.limits.body_bytes) {
      this.fail(`larger than ${Math.floor(model.limits.body_bytes / 1e6)} MB`, "make it smaller with a picture editor");
      return;
    }
    const query = new URLSearchParams({ top: TOP });
    if (model && model.neighbours) query.set("neighbours", NEIGHBOURS);
    if (by("heat").checked) query.set("gradcam", 1);
    try {
      const [response, answer] = await this.ask("?" + query);
      if (answer.reason) this.fail(answer.sentence, answer.hint);
      else if (!response.ok) this.fail(answer.error, answer.hint);
      else this.show(answer);
    } catch {
      this.fail("the server does not answer", "look whether it still runs, and choose the photo again");
    }
  }

  fail(sentence, hint) {
    this.heading.textContent = "No answer";
    this.heading.className = "error";
    element("p", this.text, sentence, "sentence");
    if (hint) element("p", this.text, "What helps: " + hint, "sentence");
  }

  show(answer) {
    this.heading.textContent = `${answer.class} ${percent(answer.probability)}`;
    const classes = element("dl", this.text, undefined, "classes");
    for (const [name, share] of Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1])) {
      const row = element("div", classes);
      element("dt", row, name).title = name;
      element("dd", row, percent(share));
      element("i", row).style.setProperty("--share", 100 * share + "%");
    }
    if (answer.neighbours) this.near(answer.neighbours);
    this.answered = true;
    if (answer.gradcam) this.setHeat(answer.gradcam);
    else if (answer.no_gradcam) this.noHeat(answer.no_gradcam);
    else if (by("heat").checked) this.wantHeat();
  }

  near(neighbours) {
    const part = element("div", this.item, undefined, "near");
    element("small", part, neighbours.length ? "Training photos that are most like it" : "There are no training photos");
    const list = element("ol", part);
    for (const { id, label, similarity, row } of neighbours) {
      const item = element("li", list);
      item.title = id;
      if (row !== null) {
        const picture = element("img", item);
        picture.alt = id;
        picture.loading = "lazy";
        picture.src = "training/" + row;
      } else {
        part.classList.add("plain");
        element("span", item, id);
      }
      element("b", element("span", item), label ?? "no label");
      element("span", item, similarity.toFixed(3));
    }
  }

  noHeat(why) {
    element("p", this.text, "What it rests on cannot be shown: " + why, "sentence");
  }

  setHeat(source) {
    this.heat = document.createElement("img");
    this.heat.alt = "What the answer for " + this.file.name + " rests on";
    this.heat.src = source;
    this.turn();
  }

  turn() {
    if (!this.heat) return;
    this.view.replaceChildren(by("heat").checked ? this.heat : this.picture);
  }

  async wantHeat() {
    if (this.heat || this.asking || !this.answered) return;
    this.asking = true;
    try {
      const [, answer] = await this.ask("?top=1&gradcam=1");
      if (answer.gradcam) this.setHeat(answer.gradcam);
      else if (answer.no_gradcam) this.noHeat(answer.no_gradcam);
    } catch {
      // The plain picture stays.
    }
    this.asking = false;
  }

  forget() {
    URL.revokeObjectURL(this.url);
    this.item.remove();
  }
}

let cards = [];

function say() {
  by("bar").hidden = asked === 0;
  by("status").textContent = done === asked ? `${asked} ${asked === 1 ? "photo" : "photos"}` : `${done} of ${asked} photos`;
}

// Several at once, so that they share batches; not all, so that each answer comes soon.
function work() {
  while (running < AT_ONCE && waiting.length > 0) {
    const job = waiting.shift();
    running++;
    job().finally(() => {
      running--;
      say();
      work();
    });
  }
}

async function add(files) {
  const added = [...files].map((file) => new Card(file));
  cards.push(...added);
  asked += added.length;
  say();
  await ready;
  for (const card of added) {
    waiting.push(async () => {
      if (card.generation !== generation) return;
      await card.run();
      if (card.generation === generation) done++;
    });
  }
  work();
}

by("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
by("heat").addEventListener("change", () => {
  by("heat-note").hidden = !by("heat").checked;
  for (const card of cards) {
    card.turn();
    if (by("heat").checked && !card.heat) waiting.push(() => card.wantHeat());
  }
  work();
});
by("clear").addEventListener("click", () => {
  generation++;
  cards.forEach((card) => card.forget());
  cards = [];
  waiting.length = 0;
  asked = done = 0;
  say();
  by("files").focus();
});
// A photo that misses the field must not replace the page.
for (const event of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(event, (dragged) => {
    dragged.preventDefault();
    by("drop").classList.toggle("over", event === "dragenter" || event === "dragover");
    if (event === "drop") add([...dragged.dataTransfer.files]);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add([...event.clipboardData.files]);
});
