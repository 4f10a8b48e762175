// Goes through the sets by the keyboard alone, and sees that only one call is shown, and only as far as it has come.
import assert from 'node:assert/strict';

export default async function drive(page, element) {
    const rows = await element.locator('tbody tr').count();
    const calls = await element.locator('tbody').count();
    const shown = () => element.locator('tbody').evaluateAll(all => all.filter(it => it.getClientRects().length > 0).length);
    const pending = () => element.locator('tr.pending').count();
    const current = () => element.locator('tbody tr').evaluateAll(all => all.findIndex(row => row.getAttribute('aria-current') === 'step'));
    await element.locator('button[data-go="next"]').focus({ timeout: 2000 });
    await page.keyboard.press('Home');
    assert.equal(await current(), 0, 'Home goes to the first call');
    assert.equal(await shown(), 1, 'one call is shown');
    for (let step = 1; step < rows; step++) {
        await page.keyboard.press('ArrowRight');
        assert.equal(await current(), step);
        assert.equal(await pending(), rows - step - 1, 'what the kernel has not come to is not shown');
    }
    assert.equal(await shown(), 1, `one of ${calls} calls is shown`);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await current(), rows - 2, 'and back');
    assert.match(await element.locator('output').textContent(), new RegExp(`^${rows - 1} / ${rows} .`), 'the row is read aloud');
    // For the picture: the middle of the last call.
    for (let step = 0; step < 2; step++) {
        await page.keyboard.press('ArrowLeft');
    }
}
