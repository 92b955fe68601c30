/// What the dashboard's page runs; all text from the picker goes in as text, never as markup.
enum DashboardScript {
  static let text = helpers + tables + charts + start

  private static let helpers = #"""
    'use strict';
    const $ = (id) => document.getElementById(id);
    function node(tag, options, ...children) {
      const made = document.createElement(tag);
      for (const [key, value] of Object.entries(options || {})) {
        if (key === 'text') made.textContent = value; else made.setAttribute(key, value);
      }
      made.append(...children);
      return made;
    }
    function shape(tag, options, text) {
      const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
      for (const [key, value] of Object.entries(options || {})) made.setAttribute(key, value);
      if (text !== undefined) made.textContent = text;
      return made;
    }
    const known = (x) => x !== undefined && x !== null && Number.isFinite(x);
    function number(x, digits = 0) {
      return known(x) ? x.toLocaleString('en', { maximumFractionDigits: digits }) : '–';
    }
    const share = (x) => known(x) ? (100 * x).toFixed(0) + ' %' : '–';
    function duration(seconds) {
      if (!known(seconds) || seconds > 3e9) return '–';
      if (seconds < 120) return seconds.toFixed(0) + ' s';
      if (seconds < 7200) return (seconds / 60).toFixed(0) + ' min';
      if (seconds < 172800) return (seconds / 3600).toFixed(0) + ' h';
      return (seconds / 86400).toFixed(0) + ' days';
    }
    function fill(id, child) { $(id).className = ''; $(id).replaceChildren(child); }
    function table(kind, heads, rows) {
      const head = node('tr', {}, ...heads.map((text) => node('th', { text })));
      return node('table', { class: kind }, node('thead', {}, head), node('tbody', {}, ...rows));
    }
    function row(...cells) {
      return node('tr', {}, ...cells.map((cell) =>
        cell instanceof Node ? node('td', {}, cell) : node('td', { text: cell })));
    }
    function bar(x, text) {
      const inner = node('i', { style: 'width:' + (100 * Math.min(Math.max(x || 0, 0), 1)) + '%' });
      return node('span', { text }, node('span', { class: 'bar' }, inner));
    }

    """#

  private static let tables = #"""
    const moods = { available: 'good', draining: 'warn', ejected: 'warn' };
    function endpoints(status) {
      const all = status.endpoints;
      if (!all.length) return;
      const total = Math.max(1, ...all.map((e) => e.requestsInFlight));
      const counts = all.map((e) => Object.values(e.picks).reduce((a, b) => a + b, 0));
      const sum = Math.max(1, counts.reduce((a, b) => a + b, 0));
      const rows = all.map((e, i) => row(
        node('span', { text: e.name, title: e.address }),
        e.accelerator || '–',
        node('span', { class: 'pill ' + (moods[e.state] || 'bad'), text: e.state }),
        bar(e.requestsInFlight / total, number(e.requestsInFlight)),
        number(e.waitingRequests) + ' / ' + number(e.runningRequests),
        bar(e.kvCacheUsage, share(e.kvCacheUsage)),
        bar(e.prefixShare, share(e.prefixShare)),
        number(e.predictedTTFTMilliseconds) + ' / ' + number(e.predictedTTFTP90Milliseconds),
        number(e.predictedTPOTMilliseconds, 1),
        number(e.ttftCorrection, 2) + ' / ' + number(e.tpotCorrection, 2),
        bar(counts[i] / sum, number(counts[i])),
        number(e.failedRequests)));
      fill('endpoints', table('', ['endpoint', 'accelerator', 'state', 'in flight',
        'waiting / running', 'KV cache', 'prefix share', 'TTFT p50 / p90, ms', 'TPOT, ms',
        'correction', 'picks', 'failed'], rows));
      const note = node('p', { class: 'note', text: 'TTFT: predicted now for ' +
        number(status.referenceTokens) + ' uncached prompt tokens.' });
      $('endpoints').append(note);
    }
    function picks(status) {
      const sums = {};
      for (const endpoint of status.endpoints)
        for (const [reason, count] of Object.entries(endpoint.picks))
          sums[reason] = (sums[reason] || 0) + count;
      if (status.shedRequests) sums['shed'] = status.shedRequests;
      if (status.unplacedRequests) sums['no endpoint'] = status.unplacedRequests;
      const total = Object.values(sums).reduce((a, b) => a + b, 0);
      if (!total) return;
      const sorted = Object.entries(sums).sort((a, b) => b[1] - a[1]);
      fill('picks', table('', ['reason', 'requests'],
        sorted.map(([reason, count]) => row(reason, bar(count / total, number(count))))));
    }
    function model(status) {
      const m = status.model;
      if (m) {
        const parts = ['version ' + m.version, number(m.sampleCount) + ' requests fitted',
          'newest ' + duration(m.dataAgeSeconds) + ' old'];
        if (m.servedModel) parts.push('for ' + m.servedModel);
        if (m.toolVersion) parts.push('by glidepath ' + m.toolVersion);
        $('model').textContent = parts.join(' · ');
      }
      if (!status.reloads.length) return;
      const rows = status.reloads.slice().reverse().slice(0, 12).map((r) => row(
        new Date(r.unixMilliseconds).toISOString().replace('T', ' ').slice(0, 19),
        node('span', { class: 'pill ' + (r.version ? 'good' : 'bad'),
          text: r.version ? 'in force' : 'refused' }),
        r.version ? 'version ' + r.version : r.kind + ': ' + r.reason));
      fill('reloads', table('text', ['when (UTC)', 'outcome', 'what'], rows));
    }
    function tiles(status) {
      const all = [
        [number(status.requestsInFlight), 'in flight'],
        [number(status.endpoints.filter((e) => e.state === 'available').length) + ' of ' +
          number(status.endpoints.length), 'endpoints available'],
        [status.policy, 'policy'],
        [status.model ? String(status.model.version) : 'none', 'model version'],
        [covered(status.outcomes), 'outcomes within p90'],
        [status.log ? number(status.log.writtenLines) : 'off', 'log lines written'],
        [status.log ? number(status.log.droppedLines) : '–', 'log lines lost'],
      ];
      $('tiles').replaceChildren(...all.map(([value, name]) => node('div', { class: 'tile' },
        node('b', { text: value }), node('span', { text: name }))));
    }
    function covered(outcomes) {
      if (!outcomes.length) return '–';
      return share(outcomes.filter((o) => o.actual <= o.p90).length / outcomes.length);
    }

    """#

  private static let charts = #"""
    function ticks(low, high) {
      const made = [];
      for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
        for (const step of [1, 2, 5]) {
          const x = step * 10 ** p;
          if (x >= low && x <= high) made.push(x);
        }
      return made.length > 9 ? made.filter((x) => /^1/.test(x.toExponential())) : made;
    }
    function band(outcomes, x, y) {
      const sorted = outcomes.slice().sort((a, b) => a.predicted - b.predicted);
      const size = Math.max(8, Math.ceil(sorted.length / 12));
      const upper = [], lower = [];
      for (let i = 0; i + size <= sorted.length; i += size) {
        const part = sorted.slice(i, i + size);
        const actual = part.map((o) => o.actual).sort((a, b) => a - b);
        const at = x(part[size >> 1].predicted);
        lower.push([at, y(actual[Math.floor(0.1 * size)])]);
        upper.push([at, y(actual[Math.floor(0.9 * size)])]);
      }
      return upper.concat(lower.reverse()).map((p) => p.join(',')).join(' ');
    }
    function scatter(status) {
      const outcomes = status.outcomes.filter((o) => o.predicted > 0 && o.actual > 0);
      if (!outcomes.length) return;
      const [w, h, left, low] = [560, 340, 52, 36];
      const all = outcomes.flatMap((o) => [o.predicted, o.actual]);
      const from = Math.min(...all) / 1.2, to = Math.max(...all) * 1.2;
      const place = (v) => (Math.log(v) - Math.log(from)) / (Math.log(to) - Math.log(from));
      const x = (v) => left + place(v) * (w - left - 12);
      const y = (v) => h - low - place(v) * (h - low - 10);
      const svg = shape('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img',
        'aria-label': 'predicted against actual time to first token' });
      for (const t of ticks(from, to)) {
        svg.append(shape('line', { class: 'axis', x1: x(t), x2: x(t), y1: 10, y2: h - low }),
          shape('line', { class: 'axis', x1: left, x2: w - 12, y1: y(t), y2: y(t) }),
          shape('text', { x: x(t), y: h - low + 14, 'text-anchor': 'middle' }, number(t, 1)),
          shape('text', { x: left - 6, y: y(t) + 4, 'text-anchor': 'end' }, number(t, 1)));
      }
      svg.append(shape('polygon', { points: band(outcomes, x, y), fill: 'var(--band)' }),
        shape('line', { class: 'diagonal', x1: x(from), y1: y(from), x2: x(to), y2: y(to) }));
      for (const o of outcomes) {
        const dot = shape('circle', { class: o.actual > o.p90 ? 'over' : 'dot', r: 3,
          cx: x(o.predicted), cy: y(o.actual) });
        dot.append(shape('title', {}, `${o.endpoint}: predicted ${o.predicted}, p90 ${o.p90}, ` +
          `actual ${o.actual} ms`));
        svg.append(dot);
      }
      svg.append(shape('text', { x: (w + left) / 2, y: h - 4, 'text-anchor': 'middle' },
        'predicted median'), shape('text', { x: 12, y: h / 2, 'text-anchor': 'middle',
          transform: `rotate(-90 12 ${h / 2})` }, 'actual'));
      fill('scatter', svg);
      $('scatter').append(node('p', { class: 'note', text: 'The last ' + outcomes.length +
        ' requests; shaded: 10th to 90th percentile of what came; red: above its p90.' }));
    }

    """#

  private static let start = #"""
    let seen = 0;
    function show(status) {
      seen = Date.now();
      $('where').textContent = [status.gateway, status.pool].filter(Boolean).join(' · ') +
        ' · up ' + duration(status.uptimeSeconds);
      $('ready').className = 'pill ' + (status.isReady ? 'good' : 'warn');
      $('ready').textContent = status.isReady ? 'ready' : status.notReadyBecause.join(', ');
      for (const part of [tiles, endpoints, scatter, picks, model]) part(status);
    }
    fetch('status').then((answer) => answer.json()).then(show).catch(() => {});
    // With ?still it shows one moment, for screenshots and print.
    if (!location.search.includes('still')) {
      const events = new EventSource('events');
      events.onmessage = (event) => show(JSON.parse(event.data));
      setInterval(() => {
        const age = Date.now() - seen;
        $('stale').textContent = seen && age > 3000 ? 'no news for ' + duration(age / 1000) : '';
      }, 1000);
    }

    """#
}
