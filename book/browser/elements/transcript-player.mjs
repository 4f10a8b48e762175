// Plays the session by the keyboard alone: the screens fill, the queues fill and are empty again.
import assert from 'node:assert/strict';

export default async function drive(page, element) {
    const rows = await element.locator('tbody tr').count();
    const lines = screen => element.locator(`[data-screen="${screen}"] samp`).count();
    const panel = async name => (await element.locator(`[data-panel="${name}"]`).textContent()).trim();
    const turns = await element.locator('tr[data-turn]').count();
    await element.locator('button[data-go="next"]').focus({ timeout: 2000 });
    await page.keyboard.press('Home');
    assert.equal(await lines('server'), 1, 'the server is started');
    assert.equal(await lines('client'), 0);
    await page.keyboard.press('End');
    const all = await element.locator('tbody samp').count();
    assert.equal(await lines('server') + await lines('client'), all, 'at the end all has been said');
    assert.equal(await panel('queues'), 'none');
    await page.keyboard.press('Home');
    await element.locator('button[data-go="turn"]').focus();
    let marked = 0;
    let queued = 0;
    for (let turn = 0; turn < turns; turn++) {
        await page.keyboard.press('Space');
        marked += await element.locator('[data-panel="lists"] mark').count();
        queued += await element.locator('[data-panel="queues"] q').count();
    }
    assert.ok(marked >= turns - 1, 'something is ready in each turn but the last');
    assert.ok(queued > 0, 'messages wait in queues');
    assert.match(await element.locator('output').textContent(), new RegExp(`^\\d+ / ${rows} .`), 'the step is read aloud');
    // For the picture: a turn in the middle.
    await page.keyboard.press('Home');
    for (let turn = 0; turn < Math.floor(turns / 2); turn++) {
        await page.keyboard.press('Space');
    }
    await page.keyboard.press('ArrowRight');
}
