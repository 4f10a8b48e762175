// What is looked for on a page. Each check gives back its problems, in words.

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];

/// From now on: requests to other hosts, which do not get there, and errors of the page. What it gives back tells them.
export function listen(page, host) {
    const problems = new Set();
    page.on('console', message => {
        if (message.type() === 'error') {
            problems.add(`console: ${message.text()}`);
        }
    });
    page.on('pageerror', error => problems.add(`error: ${error.message}`));
    page.on('requestfailed', request => problems.add(`not loaded: ${request.url()}`));
    page.on('response', response => {
        if (response.status() >= 400) {
            problems.add(`not loaded: ${response.url()}`);
        }
    });
    const ours = url => ['data:', 'blob:', 'about:'].includes(url.protocol) || url.host === host;
    // It finds no other (see run.mjs). Were requests stopped here, each would make a detour, and the browser's cache be off.
    page.on('request', request => {
        if (!ours(new URL(request.url()))) {
            problems.add(`asks another host: ${request.url()}`);
        }
    });
    return () => [...problems];
}

export async function axe(page, source) {
    await page.evaluate(source);
    const found = await page.evaluate(tags => window.axe.run(document, { runOnly: { type: 'tag', values: tags } }), WCAG);
    return found.violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(node => `axe ${id}: ${node.target.join(' ')}`
        + (id === 'color-contrast' ? ` (${node.any[0].message.replace(/^Element has /, '')})` : '')));
}

/// Nothing may reach beyond the right edge, but inside something that scrolls by itself.
export async function sideways(page) {
    return page.evaluate(() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth > width) {
            return [`it scrolls sideways: ${document.documentElement.scrollWidth} of ${width} px`];
        }
        const scrolls = element => {
            for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
                if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(at).overflowX) && at.getBoundingClientRect().right <= width + 1) {
                    return true;
                }
            }
            return false;
        };
        const main = document.querySelector('main') ?? document.body;
        const wide = [...main.querySelectorAll('*')].find(element => {
            const box = element.getBoundingClientRect();
            return box.width > 1 && box.right > width + 1 && !scrolls(element);
        });
        return wide ? [`<${wide.localName} class="${wide.getAttribute('class') ?? ''}"> reaches beyond the edge`] : [];
    });
}

/// With scripts off: all of the text is there, no button that does nothing, and a way to the other pages.
export async function readable(page) {
    return page.evaluate(() => {
        const main = document.querySelector('main');
        if (!main) {
            return ['no <main>'];
        }
        const seen = element => element.getClientRects().length > 0 && getComputedStyle(element).visibility === 'visible';
        const folded = element => element.closest('details:not([open])') && !element.closest('summary');
        const texts = [...main.querySelectorAll('p, li, td, pre, figcaption, h1, h2, h3, text')];
        const lost = texts.find(element => element.textContent.trim() && !folded(element) && !seen(element));
        const idle = [...main.querySelectorAll('button')].find(seen);
        const problems = [];
        if (lost) {
            problems.push(`not to be seen: ${lost.textContent.trim().slice(0, 60)}`);
        }
        if (idle) {
            problems.push(`a button that does nothing: ${idle.textContent.trim()}`);
        }
        if (!document.querySelector('noscript iframe, noscript a, iframe, nav a')) {
            problems.push('no way to the other pages');
        }
        return problems;
    });
}

/// The names of the custom elements on a page; mdBook has one of its own, outside the text.
export async function elements(page) {
    return page.evaluate(() => [...new Set([...document.querySelectorAll('main *')].filter(it => it instanceof HTMLElement)
        .map(it => it.localName).filter(name => name.includes('-')))]);
}

/// The contents are opened and closed by the keyboard.
export async function contents(page) {
    const toggle = page.locator('#mdbook-sidebar-toggle');
    const before = await toggle.getAttribute('aria-expanded');
    for (let tabs = 0; tabs < 20 && !await toggle.evaluate(it => it === document.activeElement); tabs++) {
        await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    const after = await toggle.getAttribute('aria-expanded');
    return before === after ? [`the contents do not open by the keyboard: ${before} stays ${after}`] : [];
}

/// As a reader would: open it by its key, type a word, follow a result.
export async function search(page, { word, page: wanted }) {
    await page.keyboard.press('s');
    const bar = page.locator('#mdbook-searchbar, #searchbar').first();
    await bar.waitFor({ state: 'visible' });
    await bar.pressSequentially(word);
    const results = page.locator('#mdbook-searchresults a, #searchresults a');
    try {
        await results.first().waitFor({ state: 'visible' });
    } catch {
        return [`the search does not find ${word}`];
    }
    const links = await results.evaluateAll(all => all.map(link => link.getAttribute('href')));
    if (!links.some(link => link.includes(wanted))) {
        return [`the search for ${word} does not find ${wanted}: ${links.join(' ')}`];
    }
    await page.locator(`#mdbook-searchresults a[href*="${wanted}"], #searchresults a[href*="${wanted}"]`).first().click();
    await page.waitForURL(url => url.href.includes(wanted));
    return [];
}
