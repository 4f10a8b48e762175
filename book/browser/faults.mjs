// Pages with one fault each, and what must be said of it. `finds: null` is a page without a fault.

const page = (body, head = '') => `<!DOCTYPE html><html lang="en"><head><title>T</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">${head}</head>
<body style="margin: 0"><main>${body}</main></body></html>`;

const nav = '<nav aria-label="pages"><a href="x">x</a></nav>';
const steps = script => `<trace-steps><div class="controls"><button>Next</button><output></output></div>
<table><tbody><tr><td>one</td></tr><tr><td>two</td></tr></tbody></table></trace-steps><script>${script}</script>`;

export const faults = {
    'nothing-wrong': { html: page('<h1>H</h1><p>text</p>'), finds: null },
    'other-host': { html: page('<h1>H</h1><img alt="i" src="https://example.invalid/i.png">'), finds: 'asks another host' },
    'console-error': { html: page('<h1>H</h1><script>console.error("oh")</script>'), finds: 'console: oh' },
    'page-error': { html: page('<h1>H</h1><script>throw new Error("oh")</script>'), finds: 'error: oh' },
    'not-there': { html: page('<h1>H</h1><script src="/no-such.js"></script>'), finds: 'not loaded' },
    'no-alt': { html: page('<h1>H</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'), finds: 'axe image-alt' },
    'pale': { html: page('<h1>H</h1><p style="color: #ccc; background: #fff">pale</p>'), finds: 'axe color-contrast' },
    'too-wide': { html: page('<h1>H</h1><p style="width: 500px">w</p>'), viewport: 'narrow', finds: 'sideways' },
    'cut-off': { html: page('<h1>H</h1><p style="width: 500px">w</p>', '<style>html, body { overflow-x: hidden }</style>'), viewport: 'narrow', finds: 'beyond the edge' },
    'no-driver': { html: page('<h1>H</h1><no-driver>x</no-driver>'), finds: 'nobody drives it' },
    'dead-keys': { html: page('<h1>H</h1>' + steps('')), finds: 'by keyboard' },
    'hidden-text': { html: page(`<h1>H</h1><p hidden>lost</p>${nav}`), scripts: false, finds: 'not to be seen: lost' },
    'idle-button': { html: page(`<h1>H</h1><button>Go</button>${nav}`), scripts: false, finds: 'does nothing: Go' },
    'dead-end': { html: page('<h1>H</h1>'), scripts: false, finds: 'no way' },
    'readable': { html: page(`<h1>H</h1><p>text</p>${nav}`), scripts: false, finds: null },
};
