// How a message looks on the phone. Every value enters the page as text: nothing is parsed as HTML, nothing is fetched.

const SVG = "http://www.w3.org/2000/svg";
const DEEPEST = 12;
const MOST_NODES = 400;

/** Make an element. `class`, `text`, `on…` and attributes in one object; children are elements or strings. */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const PATHS = {
  delivered: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "m8.5 12.3 2.4 2.4 4.8-5"],
  failed: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "m9.2 9.2 5.6 5.6m0-5.6-5.6 5.6"],
  refused: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "m6.5 6.5 11 11"],
  pending: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "M12 7.8V12l2.8 1.7"],
  operator: ["M12 20.5v-9", "M8.8 14a4.5 4.5 0 1 1 6.4 0", "M6 16.6a8 8 0 1 1 12 0"],
  scheduled: ["M5 7.5a2 2 0 0 1 2-2h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2z", "M5 10h14M9 3.8v3.4M15 3.8v3.4"],
  planned: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z"],
  sent: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "M8 12h7.5m-3-3.2 3.2 3.2-3.2 3.2"],
  image: ["M4 6.5A1.5 1.5 0 0 1 5.5 5h13A1.5 1.5 0 0 1 20 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5z", "m4 16 4.5-4.5 3.5 3.5 3-2.5 5 4", "M15.5 9.5h.01"],
  video: ["M4 6.5A1.5 1.5 0 0 1 5.5 5h13A1.5 1.5 0 0 1 20 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5z", "m10 9 5 3-5 3z"],
  audio: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "m10.3 9 4.7 3-4.7 3z"],
  sticker: ["M5 7a2 2 0 0 1 2-2h10a2 2 0 0 1 2 2v6l-6 6H7a2 2 0 0 1-2-2z", "M19 13h-4a2 2 0 0 0-2 2v4", "M9.5 9.5h.01M14.5 9.5h.01M9 12.5c1 1.3 3 1.6 4.5.5"],
  close: ["m7 7 10 10M17 7 7 17"],
  back: ["m14 6-6 6 6 6"],
  help: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "M9.8 10a2.3 2.3 0 1 1 3.4 2c-.8.4-1.2.9-1.2 1.7", "M12 16.3h.01"],
  auto: ["M20 12a8 8 0 1 1-16 0 8 8 0 0 1 16 0z", "M12 4v16", "M12 7.5a4.5 4.5 0 0 1 0 9"],
  light: ["M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z", "M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4"],
  dark: ["M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z"],
  inbox: ["M4 13.5 6.5 6A1.5 1.5 0 0 1 8 5h8a1.5 1.5 0 0 1 1.5 1L20 13.5V18a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18z", "M4 13.5h4.5a3.5 3.5 0 0 0 7 0H20"],
  phone: ["M8 4.5A1.5 1.5 0 0 1 9.5 3h5A1.5 1.5 0 0 1 16 4.5v15a1.5 1.5 0 0 1-1.5 1.5h-5A1.5 1.5 0 0 1 8 19.5z", "M11 18.3h2"],
};

/** Draw an icon; hidden from screen readers, since words stand beside it. */
export function icon(name, tone = "") {
  const drawn = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(attributes)) drawn.setAttribute(key, value);
  if (tone) drawn.setAttribute("class", `tone-${tone}`);
  if (name === "planned") drawn.setAttribute("stroke-dasharray", "3 3");
  for (const path of PATHS[name] ?? []) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path);
    drawn.append(line);
  }
  return drawn;
}

const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

function bubble(words, className = "bubble") {
  return el("div", { class: className, dir: "auto", text: words });
}

function address(label, value) {
  return text(value) ? el("p", { class: "address" }, `${label} `, el("bdi", { text: text(value) })) : null;
}

function media(kind, words) {
  return el("div", { class: "media", "data-kind": kind }, el("div", {}, icon(kind.toLowerCase()), words));
}

function seconds(milliseconds) {
  const whole = Math.round(Number(milliseconds) / 1000);
  return Number.isFinite(whole) ? `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}` : "–:––";
}

const LINE = {
  TEXT: (content) => [bubble(text(content.text))],
  IMAGE: (content) => [media("IMAGE", "Image, not loaded"), address("Image", content.url), address("Preview", content.thumbnailUrl)],
  VIDEO: (content) => [media("VIDEO", "Video, not loaded"), address("Video", content.url), address("Preview", content.thumbnailUrl)],
  AUDIO: (content) => [
    el("div", { class: "bubble audio" }, icon("audio"), el("span", { text: `Audio, ${seconds(content.duration)}` })),
    address("Audio", content.url),
  ],
  STICKER: (content) => [media("STICKER", `Sticker ${text(content.stickerId)}`), address("Package", content.packageId)],
  FLEX: (content) => [flexMessage(content.contents), address("Shown in notifications:", content.altText)],
};

/** Build what the person sees on a channel: a list of elements for the chat. */
export function chatOf(channel, content, words) {
  if (channel === "SMS") return smsOf(words);
  const type = text(content.type).toUpperCase() || "TEXT";
  if (channel === "LINE" && LINE[type]) return LINE[type](content).filter(Boolean);
  const shown = words.text === null ? [] : [bubble(words.text)];
  const addresses = ["imageURL", "imageUrl", "url", "buttonURL"].map((name) => address("Address", content[name]));
  return [...shown, ...addresses.filter(Boolean), ...(shown.length ? [] : [el("pre", { class: "json", text: JSON.stringify(content, null, 2) })])];
}

function smsOf(words) {
  const parts = words.parts ?? [words.text ?? ""];
  const about = `${words.alphabet ?? ""} · ${words.units ?? 0} characters · ${parts.length === 1 ? "1 SMS" : `${parts.length} SMS`}`;
  const bubbles = parts.flatMap((part, place) => [
    parts.length > 1 ? el("p", { class: "part", text: `Part ${place + 1} of ${parts.length}` }) : null,
    bubble(part),
  ]);
  return [...bubbles.filter(Boolean), el("p", { class: "part", text: about })];
}

// FLEX: boxes, texts, buttons, images (not loaded) and lines. What is not known is named.

function flexMessage(contents) {
  const left = { nodes: MOST_NODES };
  const bubbles = contents?.type === "carousel" && Array.isArray(contents.contents) ? contents.contents.slice(0, 12) : [contents];
  return el("div", { class: "flex-rail", tabindex: bubbles.length > 1 ? "0" : null }, ...bubbles.map((one) => flexBubble(one, left)));
}

function flexBubble(given, left) {
  if (!given || typeof given !== "object") return el("div", { class: "flex" }, el("div", { class: "flex-part" }, other("FLEX", given)));
  const parts = ["header", "hero", "body", "footer"].filter((name) => given[name]);
  const made = el("div", { class: "flex" });
  for (const name of parts) {
    const part = el("div", { class: `flex-part ${name}` }, component(given[name], left, 0));
    colour(part, "backgroundColor", given.styles?.[name]?.backgroundColor);
    made.append(part);
  }
  if (!parts.length) made.append(el("div", { class: "flex-part" }, component(given, left, 0)));
  return made;
}

const SIZES = { xxs: 10, xs: 11, sm: 12, md: 13, lg: 15, xl: 17, xxl: 20, "3xl": 24, "4xl": 28, "5xl": 32 };
const ALIGN = { start: "left", center: "center", end: "right" };
const SPACES = { none: 0, xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };

function component(given, left, depth) {
  if (!given || typeof given !== "object" || depth > DEEPEST || left.nodes-- <= 0) return other("…", given);
  const build = COMPONENTS[given.type];
  const made = build ? build(given, left, depth) : other(text(given.type) || "unknown", given);
  if (Number.isFinite(given.flex)) made.style.flexGrow = String(Math.min(Math.max(given.flex, 0), 20));
  const space = SPACES[given.margin] ?? pixels(given.margin);
  if (space !== null && space !== undefined) made.style.marginTop = `${space}px`;
  return made;
}

const COMPONENTS = {
  box: (given, left, depth) => {
    const layout = ["horizontal", "vertical", "baseline"].includes(given.layout) ? given.layout : "vertical";
    const items = Array.isArray(given.contents) ? given.contents : [];
    const made = el("div", { class: `flex-box ${layout}` }, ...items.map((one) => component(one, left, depth + 1)));
    colour(made, "backgroundColor", given.backgroundColor);
    const padding = SPACES[given.paddingAll] ?? pixels(given.paddingAll);
    const gap = SPACES[given.spacing] ?? pixels(given.spacing);
    const corner = SPACES[given.cornerRadius] ?? pixels(given.cornerRadius);
    if (padding !== null) made.style.padding = `${padding}px`;
    if (gap !== null) made.style.gap = `${gap}px`;
    if (corner !== null) made.style.borderRadius = `${corner}px`;
    if (layout !== "vertical") for (const child of made.children) if (!child.style.flexGrow) child.style.flexGrow = "1";
    return made;
  },
  text: (given) => {
    const spans = Array.isArray(given.contents) ? given.contents : [];
    const words = spans.length ? spans.map((span) => text(span?.text)).join("") : text(given.text);
    const made = el("div", { class: given.wrap ? "flex-text wrap" : "flex-text", dir: "auto", text: words });
    made.style.fontSize = `${SIZES[given.size] ?? 13}px`;
    if (given.weight === "bold") made.style.fontWeight = "700";
    if (ALIGN[given.align]) made.style.textAlign = ALIGN[given.align];
    colour(made, "color", given.color);
    return made;
  },
  button: (given) => {
    const style = ["primary", "secondary"].includes(given.style) ? given.style : "plain";
    const made = el("div", { class: `flex-button ${style}`, dir: "auto", text: text(given.action?.label) || "Button" });
    colour(made, style === "plain" ? "color" : "backgroundColor", given.color);
    return made;
  },
  image: (given) => el("div", { class: "flex-image" }, icon("image"), el("bdi", { text: text(given.url) || "Image" })),
  video: (given) => el("div", { class: "flex-image" }, icon("video"), el("bdi", { text: text(given.url) || "Video" })),
  icon: () => el("span", { text: "★" }),
  separator: () => el("div", { class: "flex-rule" }),
  filler: () => el("div", {}),
  spacer: () => el("div", {}),
};

function other(name, given) {
  return el("span", { class: "flex-other", text: given && typeof given === "object" ? `${name}: not drawn` : name });
}

function pixels(value) {
  const read = /^(\d{1,3})(px)?$/.exec(text(value));
  return read ? Math.min(Number(read[1]), 60) : null;
}

function colour(made, property, value) {
  if (/^#([0-9a-f]{6}|[0-9a-f]{8})$/i.test(text(value))) made.style[property] = value;
}
