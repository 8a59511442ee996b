'use strict';
/* Sums, quantiles and distributions, for the numbers of a paper again. No page here: the same text runs under node in the tests. */
const Stats = (() => {
  // Neumaier's sum: what is small beside the sum is not lost.
  const sum = values => {
    let total = 0, lost = 0;
    for (const value of values) {
      const next = total + value;
      lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
      total = next;
    }
    return total + lost;
  };
  const mean = values => sum(values) / values.length;
  // Of squared distances; no more than their rounding is nothing.
  const squares = (values, from = mean(values)) => {
    const found = sum(values.map(value => (value - from) ** 2)), rounding = 8 * Number.EPSILON * values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return found <= values.length * rounding ** 2 ? 0 : found;
  };
  const sd = values => Math.sqrt(squares(values) / (values.length - 1));
  const sorted = values => [...values].sort((a, b) => a - b);
  const least = values => values.reduce((a, b) => Math.min(a, b)), most = values => values.reduce((a, b) => Math.max(a, b));
  // Hyndman and Fan's definition 8.
  const quantile = (values, share) => {
    const all = sorted(values), place = (all.length + 1 / 3) * share + 1 / 3, before = Math.floor(place);
    if (before < 1) return all[0];
    if (before >= all.length) return all[all.length - 1];
    return all[before - 1] + (place - before) * (all[before] - all[before - 1]);
  };
  const median = values => quantile(values, .5);

  // ln Γ: Stirling's series beyond 15, reached by steps of one.
  const lnGamma = x => {
    let steps = 0;
    for (; x < 15; x++) steps += Math.log(x);
    const y = 1 / (x * x);
    const series = 1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * 691 / 360360))));
    return (x - .5) * Math.log(x) - x + .5 * Math.log(2 * Math.PI) + series / x - steps;
  };
  const TINY = 1e-300, away = x => Math.abs(x) < TINY ? TINY : x;
  // Lentz's way through the continued fraction of the incomplete beta function.
  const fraction = (a, b, x) => {
    let c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), found = d;
    for (let m = 1; m <= 5000; m++) {
      for (const step of [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))]) {
        d = 1 / away(1 + step * d);
        c = away(1 + step / c);
        found *= d * c;
      }
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return found;
  };
  const beta = (x, a, b) => {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const front = Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
  };
  const gamma = (a, x) => {
    if (x <= 0) return 0;
    const front = Math.exp(a * Math.log(x) - x - lnGamma(a));
    if (x < a + 1) {
      let term = 1 / a, total = term;
      for (let n = 1; n < 5000 && term > total * 1e-17; n++) total += term *= x / (a + n);
      return front * total;
    }
    let b = x + 1 - a, c = 1 / TINY, d = 1 / b, found = d;
    for (let i = 1; i < 5000; i++) {
      const step = -i * (i - a);
      b += 2;
      d = 1 / away(step * d + b);
      c = away(b + step / c);
      found *= d * c;
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return 1 - front * found;
  };
  const aboveT = (t, degrees) => {
    if (!isFinite(t)) return t > 0 ? 0 : 1;
    const tail = .5 * beta(degrees / (degrees + t * t), degrees / 2, .5);
    return t > 0 ? tail : 1 - tail;
  };
  const aboveF = (f, a, b) => isFinite(f) ? beta(b / (a * f + b), b / 2, a / 2) : 0;
  // Where a rising function is zero, by halves.
  const zero = (rising, high) => {
    while (rising(high) < 0) high *= 2;
    let low = 0;
    for (let i = 0; i < 200; i++) {
      const middle = (low + high) / 2;
      if (middle === low || middle === high) break;
      rising(middle) < 0 ? low = middle : high = middle;
    }
    return (low + high) / 2;
  };
  const known = new Map(), once = (key, make) => known.get(key) ?? known.set(key, make()).get(key);
  // Two-sided: what lies within has this probability.
  const quantileT = (level, degrees) => once(`t ${level} ${degrees}`, () => zero(t => (1 - level) / 2 - aboveT(t, degrees), 2));
  const quantileChi2 = (share, degrees) => once(`c ${share} ${degrees}`, () => zero(x => gamma(degrees / 2, x / 2) - share, degrees));
  const quantileNormal = share => once(`n ${share}`, () => zero(z => .5 + .5 * gamma(.5, z * z / 2) - share, 2));
  return { sum, mean, squares, sd, median, quantile, least, most, aboveT, aboveF, quantileT, quantileChi2, quantileNormal };
})();
