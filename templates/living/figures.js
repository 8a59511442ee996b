/* Figures: every mark knows its runs; marking runs marks them in all figures and numbers. */
const Figures = {};
Figures.start = () => {
  const { all, el, svg, paper, study } = Page, marks = all('[data-r]').filter(mark => mark.closest('svg.fig')), runsOf = mark => mark.dataset.r.split(' ').map(Number), live = el('div', { class: 'live', 'aria-live': 'polite' });
  if (!study.byRun.size) return Page.mark = () => {};
  document.body.append(live);
  Page.mark = runs => {
    const on = new Set(runs);
    document.documentElement.classList.toggle('sel', on.size > 0);
    for (const mark of marks) mark.classList.toggle('on', runsOf(mark).some(run => on.has(run)));
    for (const mark of all('main .n')) {
      const claim = paper.claims[mark.dataset.c], its = on.size && claim?.n && claim.n < study.byRun.size ? Offprint.runs(claim.runs) : [];
      mark.classList.toggle('hl', its.length > 0 && its.every(run => on.has(run)));
    }
    Page.say(on.size ? `${on.size} run${on.size > 1 ? 's' : ''} marked: ${runs.slice(0, 12).join(', ')}${runs.length > 12 ? ' …' : ''}` : '');
    Page.marked(on.size > 0);
  };
  const card = mark => Cards.runs(runsOf(mark).filter(run => study.byRun.has(run)));
  for (const drawing of all('svg.fig')) {
    const plot = drawing.parentElement, dots = [...drawing.querySelectorAll('.d[data-r]')];
    let at = -1, from = null, box = null;
    drawing.addEventListener('mouseover', event => {
      const mark = event.target.closest('[data-r]');
      if (mark) Cards.peek(mark, card(mark));
    });
    drawing.addEventListener('mouseout', event => event.target.closest('[data-r]') && Cards.unpeek());
    if (!dots.length) {
      drawing.addEventListener('click', event => event.target.closest('[data-r]') && Cards.show(event.target.closest('[data-r]'), card(event.target.closest('[data-r]')), true));
      continue;
    }
    // One tab stop a figure; arrows step through its runs.
    plot.tabIndex = 0;
    plot.setAttribute('role', 'group');
    plot.setAttribute('aria-label', `${drawing.getAttribute('aria-label')}: ${dots.length} points. Arrow keys step through them, Enter opens one.`);
    plot.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        dots[at]?.classList.remove('at');
        at = (at + step + dots.length) % dots.length;
        const run = runsOf(dots[at])[0], row = study.byRun.get(run);
        dots[at].classList.add('at');
        live.textContent = `run ${run}: ${study.factors.map(name => `${name} ${study.level(row, name)}`).join(', ')}, end to end ${(row.e2e_ns / 1e9).toPrecision(3)} seconds`;
        Cards.show(dots[at], card(dots[at]), false);
        dots[at].classList.add('at');
      } else if (event.key === 'Enter' && at >= 0) Cards.show(dots[at], card(dots[at]), true);
    });
    // A box drawn with the pointer marks what lies in it.
    const place = event => new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    drawing.addEventListener('pointerdown', event => from = event.pointerType === 'touch' ? null : place(event));
    drawing.addEventListener('pointermove', event => {
      const to = from && place(event);
      if (!to || (!box && Math.hypot(to.x - from.x, to.y - from.y) < 60)) return;
      if (!box) {
        drawing.append(box = svg('rect', { class: 'brush' }));
        drawing.setPointerCapture(event.pointerId);
        Cards.hide();
      }
      for (const [name, value] of Object.entries({ x: Math.min(to.x, from.x), y: Math.min(to.y, from.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) })) box.setAttribute(name, value);
    });
    drawing.addEventListener('pointerup', event => {
      if (box) {
        const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(name => Number(box.getAttribute(name)));
        const inside = dot => {
          const b = dot.getBBox(), cx = b.x + b.width / 2 - x, cy = b.y + b.height / 2 - y;
          return cx >= 0 && cx <= width && cy >= 0 && cy <= height;
        };
        Page.mark([...new Set(dots.filter(inside).flatMap(runsOf))].sort((a, b) => a - b));
        box.remove();
      } else if (event.target.closest('[data-r]')) Cards.show(event.target.closest('[data-r]'), card(event.target.closest('[data-r]')), true);
      from = box = null;
    });
  }
};
