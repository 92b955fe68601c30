/// How the page looks.
///
/// Colours are from Okabe and Ito's palette, which colour-blind people tell apart; every
/// judgement also has a sign or a word.
enum Stylesheet {
  static let text =
    palette + """
      *{box-sizing:border-box}
      html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
      body{margin:0;background:var(--page);color:var(--ink);
      font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",
      "Liberation Sans",Arial,sans-serif}
      main,header .in,nav .in{max-width:1200px;margin:0 auto;padding:0 24px}
      header{padding:34px 0 20px}
      .eyebrow{font-size:12px;letter-spacing:.1em;text-transform:uppercase;color:var(--soft)}
      h1{font-size:30px;line-height:1.2;margin:4px 0 6px;letter-spacing:-.015em;
      overflow-wrap:anywhere}
      .sub{color:var(--soft);margin:0}
      h2{font-size:20px;margin:0 0 2px;letter-spacing:-.01em}
      h3{font-size:15px;margin:22px 0 8px}
      .lead{color:var(--soft);margin:0 0 16px;max-width:78ch}
      section{margin:44px 0 0;scroll-margin-top:60px}
      .top{display:flex;justify-content:space-between;gap:20px;align-items:flex-start}
      button{font:inherit;font-size:13px;color:var(--ink);background:var(--card);white-space:nowrap;
      border:1px solid var(--line);border-radius:8px;padding:6px 12px;cursor:pointer}
      button:hover{border-color:var(--soft)}
      :focus-visible{outline:2px solid var(--one);outline-offset:2px}
      nav{position:sticky;top:0;z-index:2;background:var(--page);
      border-bottom:1px solid var(--line)}
      nav .in{display:flex;gap:4px 18px;overflow-x:auto;padding-top:10px;padding-bottom:10px;
      font-size:13px;white-space:nowrap}
      nav a{color:var(--soft);text-decoration:none}nav a:hover{color:var(--one)}
      .verdict{border:1px solid var(--line);border-left:6px solid var(--good);border-radius:12px;
      background:var(--card);padding:18px 22px;margin-top:22px}
      .verdict.no{border-left-color:var(--bad)}
      .verdict b.word{font-size:20px;display:block;margin-bottom:4px;color:var(--good)}
      .verdict.no b.word{color:var(--bad)}
      .verdict ul{margin:6px 0 0;padding-left:20px}.verdict p{margin:0}
      .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(175px,1fr));gap:14px;
      margin-top:16px}
      .card{background:var(--card);border:1px solid var(--line);border-radius:12px;
      padding:14px 16px}
      .card .k{font-size:12.5px;color:var(--soft)}
      .card .v{font-size:27px;font-weight:650;letter-spacing:-.02em;line-height:1.25;
      font-variant-numeric:tabular-nums}
      .card .d{font-size:12.5px;color:var(--soft)}
      .good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
      .warn{color:var(--warn);font-weight:600}
      .pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px;margin-bottom:16px}
      figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;
      padding:14px 14px 8px}
      figcaption{display:flex;justify-content:space-between;gap:12px;font-size:13px;
      margin:0 4px 6px;align-items:baseline}
      figcaption span{color:var(--soft);font-size:12px;text-align:right}
      svg{display:block;width:100%;height:auto;overflow:visible}
      svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;
      fill:var(--soft)}
      svg .title{fill:var(--ink);font-size:12px}
      .grid{stroke:var(--grid);stroke-width:1}.axis,.mark{stroke:var(--soft);stroke-width:1}
      .heat{fill:var(--one)}
      .ideal{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4;fill:none;opacity:.75}
      .guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 4;fill:none}
      svg .one{--c:var(--one)}svg .two{--c:var(--two)}svg .ink{--c:var(--ink)}
      svg .line{stroke:var(--c);stroke-width:2;fill:none;stroke-linejoin:round}
      svg .whisker{stroke:var(--c);stroke-width:1.6;fill:none}
      svg .whisker.ink{opacity:.55}
      svg .dot{fill:var(--c);stroke:var(--card);stroke-width:1}
      svg .bar{fill:var(--c);fill-opacity:.72}svg .band{fill:var(--c);fill-opacity:.2}
      .tolerance{fill:var(--good);fill-opacity:.14}
      .legend{display:flex;flex-wrap:wrap;gap:6px 20px;font-size:13px;color:var(--soft);
      margin:0 0 14px}
      .legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:7px;
      vertical-align:-1px}
      """ + tables

  private static let palette = """
    :root{color-scheme:light;--page:#f7f8fa;--card:#fff;--ink:#17202b;--soft:#596675;
    --line:#dfe4ea;--grid:#eceff3;--one:#0072b2;--two:#d98200;--good:#007a5a;--bad:#c2410c;
    --warn:#8a6100;--tint:#eef3f8}
    @media(prefers-color-scheme:dark){:root:not([data-theme=light]){\(dark)}}
    :root[data-theme=dark]{\(dark)}

    """

  private static let dark = """
    color-scheme:dark;--page:#0f141a;--card:#171e26;--ink:#e8edf3;--soft:#9aa8b7;--line:#2a3440;
    --grid:#232c36;--one:#56b4e9;--two:#f0a830;--good:#3fcf9f;--bad:#ff8a5c;--warn:#e8c35a;
    --tint:#1d2731
    """

  private static let tables = """

    .scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
    border-radius:12px}
    table{border-collapse:collapse;width:100%;font-size:13.5px;
    font-variant-numeric:tabular-nums}
    th{font-size:12px;font-weight:600;color:var(--soft);text-align:left;white-space:nowrap;
    background:var(--tint)}
    th,td{padding:7px 14px;border-bottom:1px solid var(--line);vertical-align:middle}
    tbody tr:last-child td{border-bottom:0}
    td.n,th.n{text-align:right;white-space:nowrap}
    th.g{text-align:center;color:var(--ink);border-bottom:0;padding-bottom:0}
    .edge{border-left:1px solid var(--line)}
    .pair h3{margin-top:4px}
    td small{color:var(--soft);font-size:12px}
    td.n>.meter{margin-right:8px}
    .meter{display:inline-block;width:84px;height:8px;border-radius:4px;background:var(--grid);
    vertical-align:middle;overflow:hidden;text-align:left}
    .meter i{display:block;height:100%;border-radius:4px;background:var(--one)}
    .meter.two i{background:var(--two)}.meter.bad i{background:var(--bad)}
    .meter.warn i{background:var(--warn)}.meter.good i{background:var(--good)}
    .barnumber{display:inline-block;min-width:58px;text-align:right}
    details{margin-top:12px}summary{cursor:pointer;color:var(--soft);margin-bottom:8px}
    .prov{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px}
    .prov td{overflow-wrap:anywhere}.prov td:first-child{white-space:nowrap;color:var(--soft)}
    code{font:12.5px ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
    .empty{background:var(--card);border:1px solid var(--line);border-radius:12px;
    padding:14px 18px;color:var(--soft);margin:0}
    footer{color:var(--soft);font-size:12.5px;padding:40px 0 50px}
    #tip{position:fixed;pointer-events:none;z-index:9;max-width:330px;background:var(--ink);
    color:var(--page);font-size:12.5px;line-height:1.4;padding:6px 10px;border-radius:8px;
    opacity:0;transition:opacity .1s}
    @media(max-width:860px){.pair,.prov{grid-template-columns:minmax(0,1fr)}
    main,header .in,nav .in{padding-left:14px;padding-right:14px}h1{font-size:24px}}
    @media print{nav,button,#tip{display:none}body{background:#fff;font-size:11px}
    section{margin-top:22px}figure,.card,.verdict{break-inside:avoid}h2{break-after:avoid}}
    """

  /// Tooltips and the theme button; the page reads the same without it.
  static let script = """
    (()=>{const r=document.documentElement,t=document.getElementById('tip');
    document.getElementById('theme').onclick=()=>{
    const dark=r.dataset.theme?r.dataset.theme==='dark'
    :matchMedia('(prefers-color-scheme:dark)').matches;
    r.dataset.theme=dark?'light':'dark'};
    document.addEventListener('pointermove',e=>{
    const s=e.target.closest&&e.target.closest('[data-tip]');
    if(!s){t.style.opacity=0;return}
    t.textContent=s.dataset.tip;t.style.opacity=1;
    const w=t.offsetWidth,h=t.offsetHeight;
    t.style.left=Math.max(4,Math.min(e.clientX+14,innerWidth-w-8))+'px';
    t.style.top=(e.clientY+h+24>innerHeight?e.clientY-h-10:e.clientY+16)+'px'})})();
    """
}
