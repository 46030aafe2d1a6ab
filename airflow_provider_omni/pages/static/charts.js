// Pictures as plain SVG: shares of channels, the way of the messages, the time to delivery.

import { s } from "./dom.js";
import { count, duration, shares } from "./words.js";

const LOOKS = { LINE: "line", SMS: "sms", VIBER: "viber", WHATSAPP: "whatsapp" };
export const lookOf = (channel) => LOOKS[channel] ?? "other";

export function shareBar(parts, whole, width = 96) {
  let x = 0;
  const bars = parts.map(([look, number]) => {
    const wide = whole ? (width * number) / whole : 0;
    const bar = s("rect", { class: `fill-${look}`, x: x.toFixed(2), y: 0, width: wide.toFixed(2), height: 6 });
    x += wide;
    return bar;
  });
  return s(
    "svg",
    { class: "share", viewBox: `0 0 ${width} 6`, width, height: 6, "aria-hidden": "true", preserveAspectRatio: "none" },
    s("rect", { class: "fill-none", x: 0, y: 0, width, height: 6 }),
    bars,
  );
}

// The way of the messages, from left to right: a bar for who was asked at each step, a band for where they went.
const [WIDE, NARROW, TALL, TOP, BAR, GAP, SLOT] = [960, 640, 190, 34, 14, 16, 40];
const FEW = 20;

export function wayPicture(way, narrow = false) {
  const wide = narrow ? NARROW : WIDE;
  const whole = Math.max(way.requested, 1);
  const tall = whole < FEW ? TALL / 2 : TALL;
  const size = (number) => (number > 0 ? Math.max((tall * number) / whole, 2) : 0);
  const ends = [];
  const end = (key, label, look) => ends.push({ key, label, look, number: 0, into: 0 }) && ends.at(-1);
  // In the order in which the fewest bands cross: what is open comes right after the first step's deliveries.
  const deliveries = (steps) => steps.map((step) => (step.delivered ? end(step.channel, `Delivered by ${step.channel}`, "ok") : null));
  const reached = deliveries(way.steps.slice(0, 1));
  const waits = way.steps.length ? way.steps.some((step) => step.pending) : way.accepted > 0;
  const open = waits ? end("open", way.steps.length ? "Open" : "Accepted", "open") : null;
  reached.push(...deliveries(way.steps.slice(1)));
  const failed = way.steps.some((step) => step.lost > 0) ? end("failed", "Failed", "bad") : null;
  const unsent = way.unsentCount ? end("unsent", "Not sent", "off") : null;

  const left = 4;
  const right = wide - 230;
  const columns = way.steps.length + 1;
  const bars = [{ label: "Requested", number: way.requested, x: left, y: TOP, out: 0 }];
  let lower = TOP;
  way.steps.forEach((step, index) => {
    const x = left + ((right - left) * (index + 1)) / columns;
    bars.push({ label: step.channel, number: step.asked, x, y: lower, out: 0 });
    lower += size(step.delivered) + size(step.pending) + GAP;
  });

  const bands = [];
  const band = (from, to, number, look) => number > 0 && bands.push({ from, to, number, look });
  if (way.steps.length) band(bars[0], bars[1], way.steps[0].asked, "next");
  else band(bars[0], open, way.accepted, "open");
  way.steps.forEach((step, index) => {
    const bar = bars[index + 1];
    if (index) band(bar, open, step.pending, "open");
    band(bar, reached[index], step.delivered, "ok");
    if (!index) band(bar, open, step.pending, "open");
    if (index + 1 < way.steps.length) band(bar, bars[index + 2], step.on, "next");
    band(bar, failed, step.lost, "bad");
  });
  band(bars[0], unsent, way.unsentCount, "off");
  for (const one of bands) if (one.to.look) one.to.number += one.number;

  let y = TOP;
  for (const one of ends) {
    one.x = right;
    one.y = y;
    y += Math.max(size(one.number), SLOT - GAP) + GAP;
  }
  const deepest = Math.max(...bars.map((bar, index) => bar.y + size(bar.number) + (index < 2 ? 0 : 32)), y - GAP);

  const paths = bands.map(({ from, to, number, look }) => {
    const height = size(number);
    const [x1, x2] = [from.x + BAR, to.x];
    const [y1, y2] = [from.y + from.out, to.y + (to.into ?? 0)];
    from.out += height;
    to.into = (to.into ?? 0) + height;
    const middle = (x1 + x2) / 2;
    const round = (found) => found.toFixed(1);
    return s("path", {
      class: `band fill-${look}`,
      d:
        `M${round(x1)} ${round(y1)}C${round(middle)} ${round(y1)} ${round(middle)} ${round(y2)} ${round(x2)} ${round(y2)}` +
        `V${round(y2 + height)}C${round(middle)} ${round(y2 + height)} ${round(middle)} ${round(y1 + height)} ${round(x1)} ${round(y1 + height)}Z`,
    });
  });
  const blocks = bars.map((bar, index) => [
    s("rect", { class: "fill-bar", x: bar.x, y: bar.y, width: BAR, height: size(bar.number), rx: 2 }),
    // Above the first two, below the others: there is nothing in these places.
    s("text", { class: "label", x: bar.x, y: index < 2 ? TOP - 20 : bar.y + size(bar.number) + 14 }, bar.label),
    s("text", { class: "number", x: bar.x, y: index < 2 ? TOP - 6 : bar.y + size(bar.number) + 29 }, `${count(bar.number)}${index ? " asked" : ""}`),
  ]);
  const parts = shares(ends.map((one) => one.number), whole);
  const outcomes = ends.map((one, place) => {
    const height = Math.max(size(one.number), 2);
    const middle = one.y + Math.max(height, SLOT - GAP) / 2;
    const at = height < SLOT - GAP ? one.y + 8 : middle - 2;
    return [
      s("rect", { class: `fill-${one.look}`, x: one.x, y: one.y, width: BAR, height, rx: 2 }),
      s("text", { class: "label", x: one.x + BAR + 10, y: at }, one.label),
      s("text", { class: "number", x: one.x + BAR + 10, y: at + 16 }, `${count(one.number)}  ·  ${parts[place]} of requested`),
    ];
  });
  const told = ends.map((one) => `${one.label.toLowerCase()}: ${count(one.number)}`).join(", ");
  return s(
    "svg",
    {
      class: "way",
      viewBox: `0 0 ${wide} ${Math.ceil(deepest + 8)}`,
      role: "img",
      "aria-label": `The way of the messages. Requested: ${count(way.requested)}. ${told}.`,
    },
    paths,
    blocks,
    outcomes,
  );
}

export function spreadPicture(spread) {
  const shown = spread.filter((one, index) => one.count > 0 || spread.slice(index).some((later) => later.count > 0));
  const most = Math.max(...shown.map((one) => one.count), 1);
  const [wide, tall] = [Math.max(Math.min(72, 460 / shown.length), 34), 92];
  const told = shown.map((one) => `${edge(one)}: ${count(one.count)}`).join(", ");
  return s(
    "svg",
    {
      class: "spread",
      viewBox: `0 0 ${(wide * shown.length).toFixed(0)} ${tall + 38}`,
      width: (wide * shown.length).toFixed(0),
      height: tall + 38,
      role: "img",
      "aria-label": `Time to delivery. ${told}.`,
    },
    shown.map((one, index) => {
      const height = one.count > 0 ? Math.max((tall * one.count) / most, 2) : 0;
      const middle = index * wide + wide / 2;
      return [
        s("rect", { class: "fill-ok", x: index * wide + 3, y: 18 + tall - height, width: wide - 6, height, rx: 2 }),
        s("text", { class: "number", x: middle, y: 12 + tall - height, "text-anchor": "middle" }, one.count ? count(one.count) : ""),
        s("text", { class: "label", x: middle, y: tall + 34, "text-anchor": "middle" }, edge(one)),
      ];
    }),
    s("line", { class: "axis", x1: 0, y1: tall + 18.5, x2: wide * shown.length, y2: tall + 18.5 }),
  );
}

const edge = (one) => (one.upTo === null ? "later" : `≤ ${duration(one.upTo)}`);
