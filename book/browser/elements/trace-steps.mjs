// Goes through a trace by the keyboard alone: the focus on a button, then the arrow keys.
import assert from 'node:assert/strict';

export default async function drive(page, element) {
    const current = () => element.locator('tr').evaluateAll(rows => rows.filter(row => row.parentElement.localName === 'tbody')
        .findIndex(row => row.getAttribute('aria-current') === 'step'));
    const count = await element.locator('tbody tr').count();
    const next = element.locator('button[data-go="next"], button').last();
    await next.focus();
    await page.keyboard.press('Home');
    assert.equal(await current(), 0, 'Home goes to the first row');
    await page.keyboard.press('ArrowRight');
    assert.equal(await current(), 1, 'an arrow goes to the next');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await current(), 0, 'and back, and not beyond the first');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowDown');
    assert.equal(await current(), count - 1, 'End goes to the last, and there it ends');
    await element.locator('button[data-go="first"]').focus();
    await page.keyboard.press('Enter');
    assert.equal(await current(), 0, 'a button is pressed by Enter');
    await element.locator('button[data-go="next"]').focus();
    for (let row = 1; row < Math.min(count, 8); row++) {
        await page.keyboard.press('Space');
    }
    const said = await element.locator('output').textContent();
    assert.match(said, new RegExp(`^${Math.min(count, 8)} / ${count} .`), 'the row is read aloud');
}
