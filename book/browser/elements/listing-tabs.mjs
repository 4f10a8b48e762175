// Chooses a language by the keyboard alone: Tab to the row of tabs, then the arrow keys.
import assert from 'node:assert/strict';

export default async function drive(page, element) {
    const selected = () => element.locator('[role=tab][aria-selected=true]').textContent();
    const shown = () => element.locator('.listing').evaluateAll(all => all.filter(it => it.getClientRects().length > 0).map(it => it.dataset.language));
    const languages = await element.locator('[role=tab]').allTextContents();
    assert.ok(languages.length > 1, 'there are tabs');
    await element.locator('[role=tab][tabindex="0"]').focus();
    await page.keyboard.press('Home');
    for (const language of languages) {
        assert.equal(await selected(), language);
        assert.deepEqual(await shown(), [language], 'only that one is shown');
        await page.keyboard.press('ArrowRight');
    }
    assert.equal(await selected(), languages[0], 'after the last comes the first');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await selected(), languages.at(-1));
}
