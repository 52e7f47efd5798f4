// Small comforts; every page works without them.
(() => {
  "use strict";
  const root = document.documentElement;

  function isDark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function themeButton() {
    const button = document.getElementById("theme");
    const name = button.querySelector("[data-theme-name]");
    const show = () => { name.textContent = isDark() ? "light" : "dark"; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  }

  // Empty fields stay out of the address, so that it can be copied and read.
  function withoutEmpty(form) {
    for (const field of form.elements) {
      if (field.name && field.value === "" && !field.disabled) {
        field.disabled = true;
        setTimeout(() => { field.disabled = false; });
      }
    }
  }

  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[method=get], form:not([method])")) withoutEmpty(event.target);
  });

  document.addEventListener("htmx:configRequest", (event) => {
    const data = event.detail.formData;
    for (const name of new Set(data.keys())) {
      const values = data.getAll(name).filter((value) => value !== "");
      data.delete(name);
      if (values.length) data.append(name, values.join(","));
    }
  });

  // A refused value answers 400 with the page that says what is wrong: show it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 400) event.detail.shouldSwap = true;
  });

  document.addEventListener("htmx:beforeRequest", () => root.classList.add("waiting"));
  document.addEventListener("htmx:afterRequest", () => root.classList.remove("waiting"));

  function selection() {
    const boxes = [...document.querySelectorAll("input[name=exp_id][form=uv-form]")];
    const count = boxes.filter((box) => box.checked).length;
    const all = document.querySelector("[data-select-all]");
    const button = document.querySelector("[data-plot-selected]");
    if (!button) return;
    button.textContent = count ? `Plot UV of ${count} selected` : "Plot UV of selected rows";
    button.disabled = count === 0;
    if (all) {
      all.checked = count > 0 && count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-all]")) {
      for (const box of document.querySelectorAll("input[name=exp_id][form=uv-form]")) box.checked = event.target.checked;
    }
    if (event.target.matches("[data-select-all], input[name=exp_id]")) selection();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = new URL(button.dataset.copy, location.href).href;
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      prompt("Address of this search", text);
    }
    setTimeout(() => { button.textContent = words; }, 1500);
  });

  // Find in a header's text: keep the lines that contain the words, in the order of the header.
  function finder(box) {
    const text = document.getElementById(box.dataset.find);
    const count = document.getElementById(box.dataset.count);
    const lines = text.textContent.split("\n");
    box.closest("[hidden]")?.removeAttribute("hidden");
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const found = wanted.length ? lines.filter((line) => wanted.every((word) => line.toLowerCase().includes(word))) : lines;
      text.textContent = found.join("\n");
      count.textContent = wanted.length ? `${found.length} of ${lines.length} lines` : "";
    });
  }

  function unfold() {
    const filters = document.querySelector("details.filters");
    if (filters && matchMedia("(min-width: 60rem)").matches) filters.open = true;
  }

  function begin() {
    selection();
    unfold();
  }

  themeButton();
  for (const box of document.querySelectorAll("input[data-find]")) finder(box);
  begin();
  document.addEventListener("htmx:afterSettle", begin);
})();
