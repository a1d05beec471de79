"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const ROWS = 50;
  const photos = JSON.parse($("photos-list").textContent);
  const all = Uint32Array.from(photos.name.keys());
  const names = photos.name.map((name) => name.toLowerCase());
  const isWrong = (at) => photos.label[at] >= 0 && photos.label[at] !== photos.predicted[at];
  const classOf = (number) => (number < 0 ? "–" : photos.classes[number] ?? `class ${number}`);

  // Those that stand in the page already are not in the list a second time.
  const thumbnails = new Map(Object.entries(photos.thumbnails).map(([at, data]) => [+at, "data:image/jpeg;base64," + data]));
  for (const image of document.querySelectorAll("img[data-photo]")) thumbnails.set(+image.dataset.photo, image.src);

  const grouped = (number) => number.toLocaleString("en-US");
  const percent = (share) => {
    if (share === null) return "–";
    if (share < 1 && share >= 0.9995) return ">99.9\u00a0%";
    if (share > 0 && share < 0.0005) return "<0.1\u00a0%";
    return (100 * share).toFixed(1) + "\u00a0%";
  };

  // What is asked for, in which order, and the page that is shown.
  let sort = { key: "loss", isUp: false };
  let found = all;
  let page = 0;

  const order = {
    name: (a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0),
    label: (a, b) => photos.label[a] - photos.label[b],
    predicted: (a, b) => photos.predicted[a] - photos.predicted[b],
    confidence: (a, b) => photos.confidence[a] - photos.confidence[b],
    loss: (a, b) => photos.loss[a] - photos.loss[b],
  };
  // What has no number comes last, whichever way.
  const isMissing = (at) => (sort.key === "label" ? photos.label[at] < 0 : photos[sort.key][at] === null);

  const update = () => {
    const text = $("by-name").value.trim().toLowerCase();
    const label = $("by-label").value;
    const predicted = $("by-predicted").value;
    const onlyWrong = $("only-wrong").checked;
    found = all.filter((at) =>
      (text === "" || names[at].includes(text)) &&
      (label === "" || photos.label[at] === +label) &&
      (predicted === "" || photos.predicted[at] === +predicted) &&
      (!onlyWrong || isWrong(at)));
    const compare = order[sort.key];
    found.sort((a, b) => isMissing(a) - isMissing(b) || (sort.isUp ? compare(a, b) : compare(b, a)) || a - b);
    page = 0;
    show();
  };

  const cell = (row, text, name) => {
    const td = row.insertCell();
    td.textContent = text;
    if (name) td.className = name;
  };

  const show = () => {
    const rows = document.createDocumentFragment();
    for (const at of found.subarray(page * ROWS, (page + 1) * ROWS)) {
      const row = document.createElement("tr");
      row.classList.toggle("wrong", isWrong(at));
      const source = thumbnails.get(photos.at?.[at] ?? at);
      const thumbnail = document.createElement(source ? "img" : "span");
      if (source) Object.assign(thumbnail, { src: source, alt: "" });
      thumbnail.className = source ? "thumb" : "thumb gone";
      row.insertCell().append(thumbnail);
      cell(row, photos.name[at], "file");
      cell(row, classOf(photos.label[at]));
      cell(row, classOf(photos.predicted[at]));
      cell(row, percent(photos.confidence[at]));
      cell(row, photos.loss[at] === null ? "–" : photos.loss[at].toFixed(4));
      rows.append(row);
    }
    $("list").tBodies[0].replaceChildren(rows);
    const pages = Math.max(1, Math.ceil(found.length / ROWS));
    $("shown").textContent = `${grouped(found.length)} of ${grouped(all.length)} photos`;
    $("page").textContent = `page ${grouped(page + 1)} of ${grouped(pages)}`;
    $("previous").disabled = page === 0;
    $("next").disabled = page + 1 >= pages;
    for (const button of $("list").tHead.querySelectorAll("button")) {
      mark(button, button.dataset.key === sort.key ? sort.isUp : null);
    }
  };

  const mark = (button, isUp) => {
    const head = button.closest("th");
    if (isUp === null) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
  };

  const turn = (by) => {
    page += by;
    show();
    $("shown").scrollIntoView({ block: "center" });
  };

  // The photos behind a cell of the confusion matrix.
  const open = (row, column) => {
    $("by-name").value = "";
    $("only-wrong").checked = false;
    $("by-label").value = row;
    $("by-predicted").value = column;
    update();
    $("all").scrollIntoView();
    $("shown").focus({ preventScroll: true });
  };

  for (const select of [$("by-label"), $("by-predicted")]) {
    photos.classes.forEach((name, number) => select.add(new Option(name, number)));
    select.addEventListener("change", update);
  }
  $("by-name").addEventListener("input", update);
  $("only-wrong").addEventListener("change", update);
  $("clear").addEventListener("click", () => {
    $("by-name").value = $("by-label").value = $("by-predicted").value = "";
    $("only-wrong").checked = false;
    update();
  });
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  $("list").tHead.addEventListener("click", ({ target }) => {
    const key = target.dataset.key;
    if (!key) return;
    // Numbers are asked for from the largest, names from the first.
    const isUp = sort.key === key ? !sort.isUp : key !== "loss" && key !== "confidence";
    sort = { key, isUp };
    update();
  });
  for (const button of document.querySelectorAll("button[data-row]")) {
    const { row, column } = button.dataset;
    button.title = `labelled ${classOf(row)}, taken for ${classOf(column)}`;
    button.addEventListener("click", () => open(row, column));
  }

  // Tables whose rows stand in the page already.
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isText = "text" in head.dataset;
        const before = head.getAttribute("aria-sort");
        const isUp = before ? before === "descending" : isText;
        for (const other of table.tHead.querySelectorAll("button")) mark(other, other === button ? isUp : null);
        const key = (row) => (isText ? row.cells[column].textContent : row.cells[column].dataset.value);
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          const difference = isText ? x.localeCompare(y) : x - y;
          return isUp ? difference : -difference;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // The section on the screen is marked in the navigation.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) links.get(target.id)?.classList.toggle("here", isIntersecting);
  }, { rootMargin: "-30% 0px -65% 0px" });
  for (const id of links.keys()) seen.observe($(id));

  document.documentElement.classList.add("js");
  update();
})();
