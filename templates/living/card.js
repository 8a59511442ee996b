/* Cards: what stands behind a number, a sentence, a run. */
const Cards = {};
Cards.start = () => {
  const { $, all, el, svg, seen, button, paper, study } = Page, { least, most, median } = Stats, card = el('div', { id: 'card', role: 'dialog', tabindex: '-1', hidden: true });
  document.body.append(card);
  const short = x => x == null ? '–' : Math.abs(x) >= 100 ? x.toFixed(0) : x.toPrecision(3), percent = x => `${(100 * x).toPrecision(2)} %`;
  let pinned = false, opener = null, timer = 0;
  Cards.hide = () => {
    if (card.hidden) return;
    const back = card.contains(document.activeElement);
    card.hidden = true;
    opener?.classList.remove('open');
    if (back) (opener?.closest('.plot') ?? opener)?.focus({ preventScroll: true });
    pinned = false;
    opener = null;
    all('.at').forEach(mark => mark.classList.remove('at'));
  };
  Cards.show = (from, make, pin) => {
    clearTimeout(timer);
    if (opener !== from) opener?.classList.remove('open');
    (opener = from).classList.add('open');
    pinned = pin;
    card.replaceChildren(button('×', Cards.hide, { class: 'x', 'aria-label': 'Close' }), ...make().flat().filter(Boolean));
    card.setAttribute('aria-label', card.querySelector('h2').textContent);
    card.hidden = false;
    card.scrollTop = 0;
    const wide = innerWidth > 640, at = from.getClientRects()[0] ?? from.getBoundingClientRect();
    card.style.maxHeight = '';
    if (wide) {
      const above = at.bottom + 8 + card.offsetHeight > innerHeight && at.top - card.offsetHeight - 8 > 44;
      card.style.top = `${(above ? at.top - card.offsetHeight - 8 : at.bottom + 8) + scrollY}px`;
      card.style.left = `${Math.max(8, Math.min(at.left, innerWidth - card.offsetWidth - 20)) + scrollX}px`;
      card.style.maxHeight = `${Math.max(220, innerHeight - card.getBoundingClientRect().top - 12)}px`;
    }
    if (pin) card.focus({ preventScroll: true });
  };
  Cards.peek = (from, make) => {
    clearTimeout(timer);
    if (!pinned) timer = setTimeout(() => Cards.show(from, make, false), 220);
  };
  Cards.unpeek = () => {
    clearTimeout(timer);
    if (!pinned) timer = setTimeout(Cards.hide, 220);
  };
  card.addEventListener('mouseenter', () => clearTimeout(timer));
  card.addEventListener('mouseleave', Cards.unpeek);
  card.addEventListener('pointerdown', () => pinned = true);
  addEventListener('keydown', event => event.key === 'Escape' && (card.hidden ? Page.mark([]) : Cards.hide()));
  addEventListener('pointerdown', event => pinned && !card.contains(event.target) && !opener?.contains(event.target) && Cards.hide());
  const facts = pairs => el('dl', {}, pairs.filter(([, what]) => what != null && what !== '').map(([name, what]) => [el('dt', {}, name), el('dd', {}, seen(what))]));

  // ---------- little pictures, with the same words for those who do not see them
  const scale = values => {
    const low = least(values), high = most(values), room = (high - low) * .06 || 1;
    return value => 8 + (value - low + room) / (high - low + 2 * room) * 384;
  };
  const picture = (height, words, ...kids) => svg('svg', { viewBox: `0 0 400 ${height}`, role: 'img', 'aria-label': words }, kids);
  const word = (x, y, text, anchor) => svg('text', { x, y, 'text-anchor': anchor }, text);
  const strip = (values, at) => {
    const numbers = values.map(([, value]) => value), [low, high] = [least(numbers), most(numbers)], x = scale([...numbers, at]);
    return picture(46, `${values.length} runs from ${short(low)} to ${short(high)}`, svg('path', { d: 'M8 24H392', class: 's-axis' }),
      values.slice(0, 2000).map(([run, value]) => svg('circle', { cx: x(value), cy: 17 + run * 7919 % 15, r: 2.6, class: 'f-c0', opacity: .65 })),
      svg('path', { d: `M${x(at)} 8V40`, class: 's-ink', 'stroke-width': 2 }), word(8, 45, short(low)), word(392, 45, short(high), 'end'));
  };
  const margins = (items, margin) => {
    const x = scale(items.flatMap(item => [item.low, item.high]).concat(-margin, margin, 0)), foot = 26 * items.length;
    return picture(foot + 22, items.map(item => `${item.name}: interval ${percent(item.low)} to ${percent(item.high)}, margin ${percent(margin)}`).join('; '),
      svg('rect', { x: x(-margin), y: 0, width: x(margin) - x(-margin), height: foot + 4, class: 'f-band' }), svg('path', { d: `M${x(0)} 0V${foot + 4}`, class: 's-axis' }),
      items.map((item, i) => {
        const y = 26 * i + 18;
        return [word(8, y - 7, item.name), svg('path', { d: `M${x(item.low)} ${y}H${x(item.high)}M${x(item.low)} ${y - 3}v6M${x(item.high)} ${y - 3}v6`, class: 's-ink', 'stroke-width': 1.6 }), svg('circle', { cx: x(item.at), cy: y, r: 3.2, class: 'f-ink' })];
      }), [-1, 0, 1].map(side => word(x(side * margin), foot + 17, side ? `${side < 0 ? '−' : '+'}${percent(margin)}` : '0', 'middle')));
  };
  const timeline = row => {
    const gaps = Offprint.gaps(row).map(gap => 1e3 * gap), high = most([...gaps, .001]), middle = median(gaps), width = 370 / gaps.length;
    const bar = (gap, i) => `M${(28 + i * width).toFixed(1)} 84v${(-gap / high * 78).toFixed(1)}h${(width * .86).toFixed(2)}V84z`;
    return picture(98, `${gaps.length} gaps between tokens, median ${short(middle)} ms, longest ${short(high)} ms`, svg('path', { d: gaps.map(bar).join(''), class: 'f-c0' }),
      svg('path', { d: `M28 ${84 - middle / high * 78}H398`, class: 's-ink', 'stroke-dasharray': '4 3' }), word(0, 10, `${short(high)} ms`), word(28, 96, 'token 2'), word(398, 96, `token ${row.n_gen}`, 'end'));
  };

  // ---------- a number
  const again = (id, claim) => {
    if (typeof claim.value === 'string') return el('p', { class: 'again none' }, 'A fact, not a number: nothing to compute.');
    const value = Page.again(id);
    if (value == null) return el('p', { class: 'again none' }, claim.n && study.thin ? 'Not computed here: it needs what the bundle alone has of each run.' : 'Not computed here: it is a setting, was published by others, or stands in another file.');
    const apart = Offprint.relative(value, claim.value), same = Offprint.agrees(value, claim.value);
    return el('p', { class: same ? 'again' : 'again no' }, el('b', {}, same ? 'Again, in your browser: ' : 'Your browser finds another value: '), String(value), el('br'),
      same ? (apart ? `the same to ${Math.floor(-Math.log10(apart))} digits.` : 'the same in all digits.') : `relative difference ${apart.toExponential(1)}.`);
  };
  const rows = (runs, name) => button(`Rows (${runs.length})`, () => Tables.rows(runs, name)), mark = runs => button(runs.length > 1 ? 'Mark these runs' : 'Mark this run', () => (Cards.hide(), Page.mark(runs)));
  const numberCard = id => () => {
    const claim = paper.claims[id], runs = Offprint.runs(claim.runs), what = /^(?:mean|smallest|largest|median|(?:lower|upper) end of Student's .* for the mean) of (.+?) over /.exec(claim.formula);
    const value = what && Offprint.value(what[1]), values = value && runs.map(run => study.byRun.get(run)).filter(Boolean).map(row => [row.run, value.of(row)]).filter(([, x]) => x != null);
    return [el('h2', {}, seen(claim.text), claim.unit && claim.unit !== '1' ? ` ${claim.unit}` : ''), el('div', { class: 'id' }, el('code', {}, seen(id))),
      facts([['value', claim.value], ['formula', claim.formula], ['rounding', claim.rounding], ['runs', claim.n ? `${claim.n}: ${claim.runs}${claim.baseline_runs ? ` (baseline ${claim.baseline_runs})` : ''}` : 'none']]),
      values?.length > 1 && strip(values, claim.value), again(id, claim),
      el('div', { class: 'row' }, runs.length > 0 && study.byRun.size > 0 && [mark(runs), rows(runs, id)], button('Copy value', () => Page.copy(String(claim.value), 'value')),
        button('Copy link', () => Page.copy(`${location.href.split('#')[0]}#n=${encodeURIComponent(id)}`, 'link'))),
      el('p', { class: 'id' }, 'Who doubts this page takes the program: offprint verify.')];
  };
  const WORDS = { true: 'holds', false: 'does not hold', null: 'not settled' }, verdict = holds => el('span', { class: `v ${holds}` }, WORDS[holds]);

  // ---------- a judgement, and what it would be at another margin
  const judge = id => {
    const claims = Object.entries(paper.claims), alpha = 1 - study.confidence / 100, rowsOf = claim => Offprint.chosen(study, claim.runs);
    const negligible = /^(\w+)\.negligible$/.exec(id);
    if (negligible) {
      // Every pair of levels, of latency and throughput, as the claims of their differences name them.
      const pairs = ['latency', 'throughput'].map(metric => claims.filter(([key]) => key.startsWith(`equivalence.${negligible[1]}.${metric}.`) && key.split('.').length > 4 && key.endsWith('.difference')).map(([key, claim]) => {
        const read = /^mean of (.+?) at (.+) minus at (.+), between /.exec(claim.formula), value = Offprint.value(read[1]), all = rowsOf(claim), [factor, high] = Offprint.named(study, key, read[2]);
        const p = Offprint.pairs(study, all, value, factor, high, read[3]), whole = Math.abs(Stats.mean(all.map(value.of)));
        return { ...p, whole, name: `${metric}, ${high} − ${read[3]}` };
      }));
      if (!pairs.every(list => list.length && list.every(p => p.se > 0))) return null;
      return { most: .2, at: margin => {
        const items = pairs.flat().map(p => {
          const [low, high] = ['lower', 'upper'].map(end => Offprint.around(p.mean, p.se, 100 - 200 * alpha, p.n - 1, end)), bound = margin * p.whole, above = d => Offprint.above(d, p.se, p.n - 1);
          return { name: p.name, low: low / p.whole, high: high / p.whole, at: p.mean / p.whole, p: Math.max(above(p.mean + bound), above(bound - p.mean)), beyond: above(Math.abs(p.mean) - bound) };
        });
        const of = list => list.every(i => i.p < alpha) ? true : list.some(i => i.beyond < alpha / list.length) ? false : null;
        const each = [items.slice(0, pairs[0].length), items.slice(pairs[0].length)].map(of);
        return { items, holds: each.every(x => x) ? true : each.includes(false) ? false : null };
      } };
    }
    const latency = Offprint.metricValue(study, 'latency'), all = rowsOf(paper.claims.runs);
    if (id === 'drift.absent') return { most: .2, at: margin => {
      const d = Offprint.drift(study, all, latency), share = slope => slope * d.span / d.mean, p = 2 * Stats.aboveT(Math.abs(d.slope / d.se), d.degrees);
      const [low, high] = ['lower', 'upper'].map(end => share(Offprint.around(d.slope, d.se, 100 - 200 * alpha, d.degrees, end)));
      return { items: [{ name: 'latency, first to last run', low, high, at: share(d.slope), p }], holds: p < alpha ? false : Math.max(Math.abs(low), Math.abs(high)) < margin ? true : null };
    } };
    if (id === 'replicates.stable') return { most: .3, bound: true, at: margin => {
      const a = Offprint.anova(study, all, latency), at = Math.sqrt(a.within / a.degrees) / a.grand, [low, high] = [1 - alpha, alpha].map(p => at * Math.sqrt(a.degrees / Stats.quantileChi2(p, a.degrees)));
      return { items: [{ name: 'coefficient of variation within cells', low, high, at }], holds: high < margin ? true : low > margin ? false : null };
    } };
    return null;
  };
  const slider = (id, predicate) => {
    const asked = predicate.margin != null && study.byRun.size ? judge(id) : null;
    if (!asked) return null;
    const label = asked.bound ? 'What if the bound were' : 'What if the margin were', out = el('output'), drawn = el('div');
    const input = el('input', { type: 'range', min: .005, max: asked.most, step: .005, value: predicate.margin, 'aria-label': label });
    const draw = () => {
      const margin = Number(input.value), { items, holds } = asked.at(margin), p = items.map(item => item.p).filter(x => x != null);
      input.setAttribute('aria-valuetext', `${percent(margin)}: ${WORDS[holds]}`);
      drawn.replaceChildren(margins(items, margin));
      out.replaceChildren(`${percent(margin)}? It `, verdict(holds), p.length ? `, largest p ${most(p).toPrecision(2)}` : '');
    };
    input.addEventListener('input', draw);
    draw();
    return el('div', {}, drawn, el('label', {}, label, ' ', out, input), el('p', { class: 'id' }, `The paper's own verdict, at ${percent(predicate.margin)}, stays: ${WORDS[predicate.holds]}. A margin is set before the runs; one chosen after them proves nothing.`));
  };
  const sentenceCard = id => () => {
    const predicate = paper.predicates[id], { test, statistic, p, margin, holds } = predicate;
    return [el('h2', {}, verdict(holds)), el('div', { class: 'id' }, el('code', {}, seen(id))), facts([['test', test], ['statistic', statistic], ['p', p], ['margin', margin == null ? null : percent(margin)]]), slider(id, predicate)];
  };

  // ---------- a run, and several
  Cards.run = run => () => {
    const row = study.byRun.get(run), s = ns => ns == null ? '–' : `${short(ns / 1e9)} s`;
    const levels = study.factors.map(name => `${name} ${study.level(row, name)}`).join(', ');
    return [el('h2', {}, `Run ${run}`), el('div', { class: 'id' }, seen(`order ${row.order}, block ${row.block}, seed ${row.seed}, ${row.started_at}`)),
      facts([['levels', levels], ['tokens', `${row.n_prompt} in, ${row.n_gen} out`], ['time', `load ${s(row.load_ns)}, first token ${s(row.ttft_ns ?? row.chunk_times_ns?.[0])}, end to end ${s(row.e2e_ns)}`]]),
      !study.thin && row.token_times_ns?.length > 1 && timeline(row),
      row.output_text != null && el('div', { class: 'out', tabindex: '0', role: 'region', 'aria-label': 'Generated text' }, seen(row.output_text)),
      el('div', { class: 'row' }, mark([run]), button('Copy the row', () => Page.copy(JSON.stringify(row), 'row')))];
  };
  Cards.runs = runs => runs.length === 1 ? Cards.run(runs[0]) : () => [el('h2', {}, `${runs.length} runs`), el('p', {}, runs.join(', ')), el('div', { class: 'row' }, mark(runs), rows(runs, 'this bar'))];

  // ---------- numbers and sentences: one tab stop a block, arrows inside it
  const block = mark => mark.closest('table, p, li, figcaption') ?? document.body, blocks = new Map();
  for (const mark of all('main .n')) {
    if (!paper.claims[mark.dataset.c]) continue;
    const list = blocks.get(block(mark)) ?? blocks.set(block(mark), []).get(block(mark));
    mark.setAttribute('role', 'button');
    mark.setAttribute('aria-haspopup', 'dialog');
    mark.tabIndex = list.push(mark) > 1 ? -1 : 0;
  }
  for (const mark of all('main .p')) {
    const predicate = paper.predicates[mark.dataset.p], name = predicate?.holds === null ? 'open' : predicate?.statistic ?? predicate?.p != null ? 'test' : 'why';
    if (predicate) mark.append(el('button', { type: 'button', class: 'how', 'aria-haspopup': 'dialog', 'aria-label': `${name}: how this was judged` }, name));
  }
  const target = event => event.target.closest?.('main .n[role], main .how'), make = mark => mark.classList.contains('n') ? numberCard(mark.dataset.c) : sentenceCard(mark.parentElement.dataset.p);
  document.addEventListener('mouseover', event => target(event) && Cards.peek(target(event), make(target(event))));
  document.addEventListener('mouseout', event => target(event) && Cards.unpeek());
  document.addEventListener('click', event => {
    const mark = target(event);
    if (!mark) return;
    event.preventDefault();
    Cards.show(mark, make(mark), true);
  });
  document.addEventListener('keydown', event => {
    const mark = target(event), list = mark && blocks.get(block(mark));
    if (!mark?.classList.contains('n')) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], next = step && list[list.indexOf(mark) + step];
    if (event.key === 'Enter' || event.key === ' ') Cards.show(mark, make(mark), true);
    else if (next) {
      mark.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    event.preventDefault();
  });
  Cards.link = id => {
    const mark = all('main .n').find(each => each.dataset.c === id);
    if (!paper.claims[id]) return Page.say('There is no number of that name in this paper.');
    mark?.scrollIntoView({ block: 'center' });
    Cards.show(mark ?? $('h1'), numberCard(id), true);
  };
};
