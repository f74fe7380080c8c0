"use strict";
// The arithmetic of one unit, term by term, from the numbers in the page. Nothing here draws.
//
// A tensor is {at, count}: where its values stand in `numbers`. A place is [c, h, w] in a map, [i] in
// a row. Sums are in double; the values themselves are the network's, in single precision.

const LookUnits = (page, numbers) => {
  const layers = page.layers;
  const flat = (shape, place) => place.reduce((at, i, axis) => at * shape[axis] + i, 0);
  const read = (tensor, shape, place) => numbers[tensor.at + flat(shape, place)];
  const x = (l, place) => read(l.x, l.in, place);
  const y = (l, place) => read(l.y, l.out, place);
  const dy = (l, place) => read(l.dy, l.out, place);
  // The gradient by a layer's input is what the layer before is handed; before the first, the picture's.
  const dx = (l, place) => {
    const before = layers[layers.indexOf(l) - 1];
    return before ? read(before.dy, l.in, place) : read(page.dinput, l.in, place);
  };
  const place = (shape, index) => {  // the inverse of flat
    const out = [];
    for (let axis = shape.length - 1; axis >= 0; --axis) {
      out.unshift(index % shape[axis]);
      index = Math.floor(index / shape[axis]);
    }
    return out;
  };
  const name = (letter, at) => `${letter}[${at.join(", ")}]`;
  const digits = (v) => (v === 0 ? "0" : String(Number(v.toPrecision(6))));
  const sum = (terms) => terms.reduce((total, t) => total + t.value, 0);

  // The taps of a window inside of the image, in row-major order.
  const taps = ({ h, w }, oh, ow) => {
    const inside = [];
    for (let fh = 0; fh < h.kernel; ++fh)
      for (let fw = 0; fw < w.kernel; ++fw) {
        const ih = oh * h.stride + fh * h.dilation - h.pad;
        const iw = ow * w.stride + fw * w.dilation - w.pad;
        if (0 <= ih && ih < h.in && 0 <= iw && iw < w.in) inside.push({ fh, fw, ih, iw });
      }
    return inside;
  };
  // The outputs whose windows hold this place of the input.
  const windows = ({ h, w }, ih, iw) => {
    const under = (axis, i, f) => {
      const steps = i + axis.pad - f * axis.dilation;
      return steps >= 0 && steps % axis.stride === 0 && steps / axis.stride < axis.out
        ? steps / axis.stride : -1;
    };
    const found = [];
    for (let fh = h.kernel - 1; fh >= 0; --fh)
      for (let fw = w.kernel - 1; fw >= 0; --fw) {
        const oh = under(h, ih, fh), ow = under(w, iw, fw);
        if (oh >= 0 && ow >= 0) found.push({ oh, ow, fh, fw });
      }
    return found;
  };
  const range = (middle, size, limit, turned) => {  // an even window is not the same both ways
    const first = middle + (turned ? Math.floor(size / 2) - size + 1 : -Math.floor(size / 2));
    return [Math.max(0, first), Math.min(limit, first + size)];
  };
  const neighbours = (l, at, turned) => {
    const { size, across } = l.lrn, [c, h, w] = at, [C, H, W] = l.in, found = [];
    const rc = across ? range(c, size, C, turned) : [c, c + 1];
    const rh = across ? [h, h + 1] : range(h, size, H, turned);
    const rw = across ? [w, w + 1] : range(w, size, W, turned);
    for (let i = rc[0]; i < rc[1]; ++i)
      for (let j = rh[0]; j < rh[1]; ++j)
        for (let k = rw[0]; k < rw[1]; ++k) found.push([i, j, k]);
    return found;
  };
  const divisor = (l, at) =>
    l.lrn.k + l.lrn.alpha * neighbours(l, at, false).reduce((s, j) => s + x(l, j) ** 2, 0);
  const firstMaximum = (l, c, oh, ow) => {
    let best = null;
    for (const t of taps(l.window, oh, ow)) {
      const value = x(l, [c, t.ih, t.iw]);
      if (best === null || value > best.value) best = { ...t, value };
    }
    return best;
  };
  // By what an average pool divides: the taps inside of the image, or of the padded one.
  const averaged = (l, oh, ow) => {
    const padded = (axis, o) => Math.min(axis.kernel, axis.in + 2 * axis.pad - o * axis.stride);
    return l.count_include_pad ? padded(l.window.h, oh) * padded(l.window.w, ow)
      : taps(l.window, oh, ow).length;
  };
  const biased = (s, b, named) =>
    `${digits(s)} + ${named} = ${digits(s)} ${b < 0 ? "-" : "+"} ${digits(Math.abs(b))} = ${digits(s + b)}`;

  const forwardOf = {
    Conv2d(l, [k, oh, ow]) {
      const [K] = l.out, perGroup = K / l.groups, channels = l.in[0] / l.groups;
      const group = Math.floor(k / perGroup), terms = [];
      const { kernel: FH } = l.window.h, { kernel: FW } = l.window.w;
      const inside = taps(l.window, oh, ow);
      for (let c = 0; c < channels; ++c)
        for (const t of inside) {
          const w = read(l.weight, [K, channels, FH, FW], [k, c, t.fh, t.fw]);
          const at = [group * channels + c, t.ih, t.iw];
          terms.push({ what: `${name("x", at)} ${name("w", [k, c, t.fh, t.fw])}`, place: at,
                       tap: [c, t.fh, t.fw], a: x(l, at), b: w, value: x(l, at) * w });
        }
      const b = l.bias ? read(l.bias, [K], [k]) : 0, s = sum(terms);
      return {
        formula: `b[${k}] + sum over c, fh, fw of  x[c, oh S + fh - P, ow S + fw - P] w[${k}, c, fh, fw]`,
        notes: l.groups > 1 ? [`map ${k} is in group ${group} of 0 ... ${l.groups - 1}: it sees maps ` +
          `${group * channels} to ${(group + 1) * channels - 1} of the layer before`] : [],
        terms, then: [biased(s, b, `b[${k}]`)],
        value: s + b, channels, group };
    },
    MaxPool2d(l, [c, oh, ow]) {
      const best = firstMaximum(l, c, oh, ow);
      return {
        formula: `max over fh, fw of  x[${c}, oh S + fh - P, ow S + fw - P]`, notes: [],
        maximum: true, value: best.value,
        terms: taps(l.window, oh, ow).map((t) => ({
          what: name("x", [c, t.ih, t.iw]), place: [c, t.ih, t.iw], tap: [0, t.fh, t.fw],
          value: x(l, [c, t.ih, t.iw]), chosen: t.ih === best.ih && t.iw === best.iw })),
        then: [`the largest, and the first of equals, is ${name("x", [c, best.ih, best.iw])}`] };
    },
    AvgPool2d(l, [c, oh, ow]) {
      const terms = taps(l.window, oh, ow).map((t) => ({
        what: name("x", [c, t.ih, t.iw]), place: [c, t.ih, t.iw], tap: [0, t.fh, t.fw],
        value: x(l, [c, t.ih, t.iw]) }));
      const s = sum(terms), count = averaged(l, oh, ow);
      return { formula: `sum of x[${c}, ...] in the window / ${count}`, notes: [], terms,
               then: [`${digits(s)} / ${count} = ${digits(s / count)}`], value: s / count };
    },
    LocalResponseNorm(l, at) {
      const { alpha, beta, k, across } = l.lrn, value = x(l, at);
      const terms = neighbours(l, at, false).map((j) => ({
        what: `${name("x", j)}^2`, place: j, value: x(l, j) ** 2, a: x(l, j) }));
      const s = k + alpha * sum(terms), strongest = terms.reduce((a, b) => (b.value > a.value ? b : a));
      return {
        formula: `x / s^${beta},  s = ${k} + ${alpha} * sum of x^2 over the window`,
        notes: [strongest.value > 0
          ? `${across ? "map" : "place"} ${across ? strongest.place[0] : strongest.place.slice(1).join(", ")} ` +
            `contributes most to the sum: ${digits(100 * strongest.value / sum(terms))} % of it`
          : "no neighbour is active: it is divided by the constant alone"],
        terms,
        then: [`s = ${k} + ${alpha} * ${digits(sum(terms))} = ${digits(s)}`,
               `${digits(value)} / ${digits(s)}^${beta} = ${digits(value)} / ${digits(s ** beta)} = ` +
               `${digits(value * s ** -beta)}`],
        value: value * s ** -beta };
    },
    Linear(l, [o]) {
      const row = l.rows[o], inputs = l.in[0];
      if (!row)
        return { formula: `b[${o}] + sum over i of  x[i] w[${o}, i]`, notes: [], terms: [], then: [],
                 value: null, elsewhere: true };
      const terms = [];
      for (let i = 0; i < inputs; ++i) {
        const w = numbers[row.at + i];
        terms.push({ what: `${name("x", [i])} ${name("w", [o, i])}`, place: [i], a: x(l, [i]), b: w,
                     value: x(l, [i]) * w });
      }
      const b = l.bias ? read(l.bias, l.out, [o]) : 0, s = sum(terms);
      return { formula: `b[${o}] + sum over i of  x[i] w[${o}, i]`, notes: [], terms,
               then: [biased(s, b, `b[${o}]`)],
               value: s + b };
    },
    ReLU: (l, at) => pointwise(l, at, "max(0, x)", Math.max(0, x(l, at))),
    Tanh: (l, at) => pointwise(l, at, "tanh(x)", Math.tanh(x(l, at))),
    Sigmoid: (l, at) => pointwise(l, at, "1 / (1 + exp(-x))", 1 / (1 + Math.exp(-x(l, at)))),
    Dropout: (l, at) => pointwise(l, at, "x: nothing is dropped when the network is used", x(l, at)),
    Flatten: (l, [i]) => pointwise(l, place(l.in, i), "x: the values stay where they are", x(l, place(l.in, i))),
  };
  const pointwise = (l, at, formula, value) => ({
    formula, notes: [], terms: [{ what: name("x", at), place: at, value: x(l, at) }], then: [],
    single: true, value });

  // The gradient of the loss by one value of a layer's input. It is null where the page lacks weights.
  const backwardOf = {
    Conv2d(l, [c, ih, iw]) {
      const [K] = l.out, perGroup = K / l.groups, channels = l.in[0] / l.groups;
      const group = Math.floor(c / channels), terms = [];
      const { kernel: FH } = l.window.h, { kernel: FW } = l.window.w;
      const seen = windows(l.window, ih, iw);
      for (let k = group * perGroup; k < (group + 1) * perGroup; ++k)
        for (const o of seen) {
          const w = read(l.weight, [K, channels, FH, FW], [k, c % channels, o.fh, o.fw]);
          const g = dy(l, [k, o.oh, o.ow]);
          terms.push({ what: `${name("dy", [k, o.oh, o.ow])} ${name("w", [k, c % channels, o.fh, o.fw])}`,
                       a: g, b: w, value: g * w });
        }
      return { formula: "sum over k, fh, fw of  dy[k, oh, ow] w[k, c, fh, fw]", terms };
    },
    MaxPool2d(l, [c, ih, iw]) {
      const seen = windows(l.window, ih, iw);
      const terms = seen.filter((o) => {
        const best = firstMaximum(l, c, o.oh, o.ow);
        return best.ih === ih && best.iw === iw;
      }).map((o) => ({ what: name("dy", [c, o.oh, o.ow]), value: dy(l, [c, o.oh, o.ow]) }));
      return { formula: "sum of dy over the windows whose maximum stands here", terms,
               note: `${seen.length} overlapping windows hold it, ${terms.length} chose it as their maximum` };
    },
    AvgPool2d(l, [c, ih, iw]) {
      return { formula: "sum of dy / M over the windows that hold it",
               terms: windows(l.window, ih, iw).map((o) => {
                 const count = averaged(l, o.oh, o.ow);
                 return { what: `${name("dy", [c, o.oh, o.ow])} / ${count}`, value: dy(l, [c, o.oh, o.ow]) / count };
               }) };
    },
    LocalResponseNorm(l, at) {
      const { alpha, beta } = l.lrn, factor = -2 * alpha * beta * x(l, at);
      const terms = [{ what: `own share: ${name("dy", at)} s^-${beta}`, value: dy(l, at) * divisor(l, at) ** -beta }];
      for (const j of neighbours(l, at, true))
        terms.push({ what: `through the divisor of ${name("y", j)}`,
                     value: factor * dy(l, j) * x(l, j) * divisor(l, j) ** (-beta - 1) });
      return { formula: "dy s^-beta - 2 alpha beta x sum over j of  dy[j] x[j] s[j]^(-beta - 1)", terms };
    },
    Linear(l, [i]) {
      if (!Array.from({ length: l.out[0] }, (_, o) => o).every((o) => l.rows[o])) return null;
      const terms = [];
      for (let o = 0; o < l.out[0]; ++o) {
        const g = dy(l, [o]), w = numbers[l.rows[o].at + i];
        terms.push({ what: `${name("dy", [o])} ${name("w", [o, i])}`, a: g, b: w, value: g * w });
      }
      return { formula: "sum over o of  dy[o] w[o, i]", terms };
    },
    ReLU: (l, at) => ({ formula: "dy where y > 0, else 0",
                        terms: [{ what: name("dy", at), value: y(l, at) > 0 ? dy(l, at) : 0 }] }),
    Tanh: (l, at) => ({ formula: "dy (1 - y^2)",
                        terms: [{ what: name("dy", at), value: dy(l, at) * (1 - y(l, at) ** 2) }] }),
    Sigmoid: (l, at) => ({ formula: "dy y (1 - y)",
                           terms: [{ what: name("dy", at), value: dy(l, at) * y(l, at) * (1 - y(l, at)) }] }),
    Dropout: (l, at) => ({ formula: "dy", terms: [{ what: name("dy", at), value: dy(l, at) }] }),
    Flatten: (l, at) => ({ formula: "dy", terms: [{ what: name("dy", [flat(l.in, at)]), value: dy(l, [flat(l.in, at)]) }] }),
  };

  // The part of the input of layers[from] that the unit `at` of layers[index] depends on, as half-open
  // ranges of rows and columns, clipped to the image.
  const receptive = (index, at, from = 0) => {
    let box = layers[index].out.length === 3
      ? { top: at[1], bottom: at[1] + 1, left: at[2], right: at[2] + 1 } : null;
    for (let i = index; i >= from; --i) {
      const l = layers[i];
      if (l.in.length === 3 && (box === null || l.out.length !== 3)) {
        box = { top: 0, bottom: l.in[1], left: 0, right: l.in[2] };
      } else if (box && l.window) {
        const { h, w } = l.window;
        const first = (o, a) => Math.max(0, o * a.stride - a.pad);
        const last = (o, a) => Math.min(a.in, (o - 1) * a.stride - a.pad + (a.kernel - 1) * a.dilation + 1);
        box = { top: first(box.top, h), bottom: last(box.bottom, h),
                left: first(box.left, w), right: last(box.right, w) };
      } else if (box && l.lrn && !l.lrn.across) {
        const n = l.lrn.size, half = Math.floor(n / 2), [, H, W] = l.in;
        box = { top: Math.max(0, box.top - half), bottom: Math.min(H, box.bottom + n - 1 - half),
                left: Math.max(0, box.left - half), right: Math.min(W, box.right + n - 1 - half) };
      }
    }
    return box;
  };

  return {
    layers, x, y, dy, dx, place, flat, digits, sum, taps, receptive,
    forward(index, at) {
      const l = layers[index], make = forwardOf[l.kind];
      return make ? { element: name("y", at), tensor: y(l, at), ...make(l, at) } : null;
    },
    backward(index, at) {
      const l = layers[index], make = backwardOf[l.kind], found = make ? make(l, at) : null;
      return found && { element: name("dx", at), tensor: dx(l, at), value: sum(found.terms), ...found };
    },
  };
};
