// Every page of the book in a real browser: `cargo xtask browser`.
// Arguments: the site, the folder with node_modules, the folder for pictures, the browser, and which pictures: `none`,
// `figures` (one of each) or `all` (of each page and figure in each theme and width).
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

import * as checks from './checks.mjs';
import { faults } from './faults.mjs';
import { serve } from './serve.mjs';

const [site, tools, pictures, executablePath, wanted] = process.argv.slice(2);
const require = createRequire(path.join(tools, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const here = path.dirname(fileURLToPath(import.meta.url));

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };
const THEMES = ['light', 'navy'];
// On one page only, the one with the most in it.
const OTHER_THEMES = ['rust', 'coal', 'ayu'];
const FULLEST = 'start/read-a-trace.html';
// All of the book on one page.
const ONCE_MORE = 'print.html';
// Nothing takes that long, in milliseconds.
const PATIENCE = 60000;
// Pages at a time: two cores are busy with three.
const AT_ONCE = 3;
// A word that stands in the book, and a page that its search must find.
const SEARCH = { word: 'descriptor', page: 'read-a-trace.html' };

const browser = await chromium.launch({
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
        // No other host is found, so that a page that asks one is heard of and gets nothing.
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
});
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });

/// A window of its own: the theme, the size, and whether scripts run.
async function context({ theme = 'light', viewport = WIDE, scripts = true } = {}) {
    const made = await browser.newContext({ viewport, javaScriptEnabled: scripts });
    // The print page would ask for paper.
    await made.addInitScript(() => { window.print = () => {}; });
    await made.addInitScript(name => { try { localStorage.setItem('mdbook-theme', name); } catch { /* file:// */ } }, theme);
    return made;
}

/// Opens an address and gives back what the checks say of it.
async function look(window, address, looks) {
    const page = await window.newPage();
    page.setDefaultTimeout(PATIENCE);
    const heard = checks.listen(page, new URL(address).host);
    try {
        await page.goto(address, { waitUntil: 'load' });
        const found = [];
        for (const check of looks) {
            found.push(...await check(page));
        }
        return [...heard(), ...found];
    } finally {
        await page.close();
    }
}

const withAxe = page => checks.axe(page, axe);

/// Each custom element is driven by the keyboard, as the script of its name says.
async function drive(page, picture) {
    const problems = [];
    for (const tag of await checks.elements(page)) {
        const script = path.join(here, 'elements', `${tag}.mjs`);
        if (!existsSync(script)) {
            problems.push(`<${tag}>: nobody drives it: write book/browser/elements/${tag}.mjs`);
            continue;
        }
        const { default: driver } = await import(pathToFileURL(script));
        for (const [number, element] of (await page.locator(tag).all()).entries()) {
            try {
                await driver(page, element);
                if (picture) {
                    await element.screenshot({ path: path.join(pictures, `${picture}-${tag}-${number + 1}.png`) });
                }
            } catch (error) {
                problems.push(`<${tag}> ${number + 1} by keyboard: ${error.message.split('\n')[0]}`);
            }
        }
    }
    return problems;
}

/// The checks themselves, each on a page with the fault that it is for.
async function selfTest() {
    const server = await serve(route => faults[route.slice(1)]?.html);
    const missed = [];
    await someAtATime(Object.entries(faults), async ([name, { finds, viewport, scripts }]) => {
        const window = await context({ viewport: viewport === 'narrow' ? NARROW : WIDE, scripts: scripts !== false });
        const looks = scripts === false ? [checks.readable] : [withAxe, checks.sideways, page => drive(page)];
        const found = await look(window, server.address + '/' + name, looks);
        const hit = finds === null ? found.length === 0 : found.some(problem => problem.includes(finds));
        if (!hit) {
            missed.push(`${name}: expected ${finds}, found ${JSON.stringify(found)}`);
        }
        await window.close();
    });
    server.close();
    if (missed.length > 0) {
        throw new Error(`a check does not find its fault:\n  ${missed.join('\n  ')}`);
    }
    console.log(`${Object.keys(faults).length} faults of our own, each found`);
}

function pages() {
    const files = readdirSync(site, { recursive: true }).filter(file => file.endsWith('.html')).sort();
    // The frame that shows the contents where no script runs.
    return files.filter(file => file !== 'toc.html');
}

async function lookAtAll() {
    const server = await serve(route => readSite(route));
    const problems = [];
    const note = (file, how, found) => problems.push(...found.map(problem => `${file} (${how}): ${problem}`));
    const files = pages();
    const short = file => file.replace(/\.html$/, '').replaceAll('/', '-');
    for (const theme of THEMES) {
        const first = theme === THEMES[0];
        await inWindow({ theme }, files, async (window, file) => {
            const name = `${short(file)}-${theme}`;
            const figures = wanted === 'all' || (wanted === 'figures' && first && file !== ONCE_MORE);
            const steps = [withAxe, page => picture(page, name)];
            // What is on the page for printing was driven, and looked at in each theme, where it stands.
            if (first || file !== ONCE_MORE) {
                steps.push(page => drive(page, figures && `${name}-wide`), driven);
            }
            note(file, theme, await look(window, `${server.address}/${file}`, steps));
        });
        await inWindow({ theme, viewport: NARROW }, files, async (window, file) => {
            const name = `${short(file)}-${theme}-360`;
            const steps = [checks.sideways, page => picture(page, name)];
            // A theme changes colours and no widths, nor what keys do; that a page fits is seen in both.
            if (first) {
                steps.push(page => drive(page, wanted === 'all' && name), checks.sideways);
            }
            note(file, `${theme}, 360 px`, await look(window, `${server.address}/${file}`, steps));
        });
    }
    for (const theme of OTHER_THEMES) {
        await inWindow({ theme }, [FULLEST], async (window, file) => {
            note(file, theme, await look(window, `${server.address}/${file}`, [withAxe]));
        });
    }
    await inWindow({ scripts: false }, files, async (window, file) => {
        note(file, 'scripts off', await look(window, `${server.address}/${file}`, [checks.readable]));
    });
    // The sidebar has many links before it; narrow, it is closed, and they are none.
    await inWindow({ viewport: NARROW }, [FULLEST], async (window, file) => {
        note(file, 'contents', await look(window, `${server.address}/${file}`, [checks.contents]));
    });
    const window = await context();
    const index = pathToFileURL(path.join(site, 'index.html')).href;
    note('index.html', 'from the disk', await look(window, index, [page => checks.search(page, SEARCH)]));
    await window.close();
    server.close();
    return { files, problems };
}

/// Once more, where something interactive has changed the page.
async function driven(page) {
    return (await checks.elements(page)).length > 0 ? withAxe(page) : [];
}

/// All files in windows of one kind.
async function inWindow(kind, files, visit) {
    const window = await context(kind);
    await someAtATime(files, file => visit(window, file));
    await window.close();
}

async function someAtATime(all, visit) {
    const left = [...all];
    const work = async () => {
        for (let one = left.shift(); one !== undefined; one = left.shift()) {
            await visit(one);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function picture(page, name) {
    if (wanted === 'all') {
        await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
    }
    return [];
}

/// The bytes of a page, and its type by its name.
function readSite(route) {
    const file = path.join(site, route.endsWith('/') ? `${route}index.html` : route);
    return file.startsWith(site) && existsSync(file) ? readFileSync(file) : undefined;
}

try {
    await selfTest();
    const { files, problems } = await lookAtAll();
    for (const problem of problems.sort()) {
        console.log(`violation: ${problem}`);
    }
    console.log(`${files.length} pages, ${problems.length} violations`);
    process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
    await browser.close();
}
