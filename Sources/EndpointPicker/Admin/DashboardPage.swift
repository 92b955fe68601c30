/// The dashboard's page: self-contained, fed by `/status` and `/events`.
enum DashboardPage {
  static let html =
    head + body + "<script>\n" + DashboardScript.text + "</script>\n</body>\n</html>\n"

  private static let head = """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Glidepath</title>
    <style>
    :root {
      color-scheme: light dark;
      --page: #f6f7f9; --card: #ffffff; --ink: #16202b; --soft: #5b6875; --line: #dde2e8;
      --accent: #1565c0; --band: #1565c022; --good: #1b7f4b; --warn: #a15c00; --bad: #b3261e;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #11161c; --card: #1a2129; --ink: #e6ebf0; --soft: #94a1ae; --line: #2c3640;
        --accent: #6db3f2; --band: #6db3f22e; --good: #63c990; --warn: #e5b567; --bad: #f2837b;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
    }
    header {
      display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: baseline; padding: 16px 24px 0;
    }
    h1 { font-size: 20px; margin: 0; }
    h2 { font-size: 14px; margin: 0 0 10px; }
    header span { color: var(--soft); }
    .pill { padding: 1px 9px; border-radius: 9px; border: 1px solid currentColor; font-size: 12px; }
    .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
    main { display: grid; gap: 16px; padding: 16px 24px 32px; grid-template-columns: 3fr 2fr; }
    section {
      background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px;
      min-width: 0; overflow-x: auto;
    }
    .wide { grid-column: 1 / -1; } .tall { grid-row: span 2; }
    .tiles {
      grid-column: 1 / -1; display: grid; gap: 12px;
      grid-template-columns: repeat(auto-fit, minmax(130px, 1fr));
    }
    .tile {
      background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px;
    }
    .tile b {
      display: block; font-size: 17px; line-height: 26px; font-variant-numeric: tabular-nums;
      overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
    }
    .tile span, .note { color: var(--soft); font-size: 12px; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th {
      text-align: right; font-weight: 500; color: var(--soft); font-size: 12px; padding: 2px 8px;
      white-space: nowrap; vertical-align: bottom;
    }
    td { text-align: right; padding: 5px 8px; border-top: 1px solid var(--line); white-space: nowrap; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    .bar { display: inline-block; width: 64px; height: 7px; border-radius: 4px; background: var(--line);
      margin-left: 6px; overflow: hidden; }
    .bar i { display: block; height: 100%; background: var(--accent); }
    .text td { text-align: left; white-space: normal; }
    .text th { text-align: left; } .text td { padding: 4px 8px 4px 0; vertical-align: top; }
    svg { width: 100%; height: auto; display: block; }
    svg text { fill: var(--soft); font-size: 11px; }
    .axis { stroke: var(--line); } .diagonal { stroke: var(--soft); stroke-dasharray: 4 4; }
    .dot { fill: var(--accent); fill-opacity: 0.55; } .over { fill: var(--bad); fill-opacity: 0.7; }
    .empty { color: var(--soft); padding: 18px 0; }
    @media (max-width: 900px) { main { grid-template-columns: 1fr; } }
    </style>
    </head>

    """

  private static let body = """
    <body>
    <header>
      <h1>Glidepath</h1><span id="where"></span>
      <span class="pill" id="ready">connecting</span><span id="stale"></span>
    </header>
    <main>
      <div class="tiles" id="tiles"></div>
      <section class="wide">
        <h2>Endpoints</h2>
        <div id="endpoints" class="empty">no endpoints yet</div>
      </section>
      <section class="tall">
        <h2>Time to first token: predicted against actual, ms</h2>
        <div id="scatter" class="empty">no outcomes yet: they appear once a model predicts</div>
      </section>
      <section>
        <h2>Picks by reason</h2>
        <div id="picks" class="empty">no picks yet</div>
      </section>
      <section>
        <h2>Model</h2>
        <p class="note" id="model">no model: requests are routed by load</p>
        <div id="reloads"></div>
      </section>
    </main>

    """
}
