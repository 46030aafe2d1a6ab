// Light or dark, colours and font: those of Airflow's page around this one, followed while they change.

const BORROWED = {
  "--bg": "bg",
  "--bg-subtle": "bg-subtle",
  "--bg-muted": "bg-muted",
  "--fg": "fg",
  "--fg-muted": "fg-muted",
  "--border": "border",
  "--border-strong": "border-emphasized",
  "--link": "blue-fg",
  "--focus": "brand-focus-ring",
};

export function followTheme() {
  const own = document.documentElement;
  let outer = null;
  try {
    if (window.parent !== window) outer = window.parent.document.documentElement;
  } catch {
    // A page of another origin around this one says nothing.
  }
  if (outer === null) {
    const query = window.matchMedia("(prefers-color-scheme: dark)");
    const adapt = () => (own.dataset.theme = query.matches ? "dark" : "light");
    query.addEventListener("change", adapt);
    adapt();
    return;
  }
  const adapt = () => {
    const theirs = window.parent.getComputedStyle(outer);
    const dark = outer.classList.contains("dark") || outer.dataset.theme === "dark";
    own.dataset.theme = dark ? "dark" : "light";
    for (const [name, source] of Object.entries(BORROWED)) {
      const found = theirs.getPropertyValue(`--chakra-colors-${source}`).trim();
      if (found) own.style.setProperty(name, found);
      else own.style.removeProperty(name);
    }
    const font = window.parent.getComputedStyle(outer.ownerDocument.body).fontFamily;
    if (font) own.style.setProperty("--font", font);
  };
  new MutationObserver(adapt).observe(outer, { attributes: true, attributeFilter: ["class", "data-theme", "style"] });
  adapt();
}
