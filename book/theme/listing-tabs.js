// <listing-tabs>: the same program in several languages, one at a time, and the same choice on every page.
// Without scripts they stand one below the other.
'use strict';
(() => {
    const KEY = 'listing-language';
    const chosen = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
    const choose = language => { try { localStorage.setItem(KEY, language); } catch { /* A reader who forbids it chooses anew. */ } };

    class ListingTabs extends HTMLElement {
        connectedCallback() {
            this.panels = [...this.querySelectorAll(':scope > .listing')];
            if (this.panels.length < 2 || this.querySelector('.tabs')) {
                return;
            }
            const bar = document.createElement('div');
            bar.className = 'tabs';
            bar.setAttribute('role', 'tablist');
            bar.setAttribute('aria-label', this.dataset.name);
            this.tabs = this.panels.map((panel, index) => this.tab(panel, index));
            bar.append(...this.tabs);
            bar.addEventListener('keydown', event => this.key(event));
            this.prepend(bar);
            const first = this.panels.findIndex(panel => panel.dataset.language === chosen());
            this.show(Math.max(first, 0));
        }

        tab(panel, index) {
            const tab = document.createElement('button');
            const id = `listing-${this.dataset.name}-${index}`;
            Object.assign(tab, { type: 'button', id: `${id}-tab`, textContent: panel.dataset.language });
            tab.setAttribute('role', 'tab');
            tab.setAttribute('aria-controls', id);
            panel.id = id;
            panel.setAttribute('role', 'tabpanel');
            panel.setAttribute('aria-labelledby', tab.id);
            tab.addEventListener('click', () => this.pick(index));
            return tab;
        }

        key(event) {
            const now = this.tabs.indexOf(document.activeElement);
            const last = this.tabs.length - 1;
            const next = { ArrowRight: now === last ? 0 : now + 1, ArrowLeft: now === 0 ? last : now - 1, Home: 0, End: last }[event.key];
            if (now >= 0 && next !== undefined) {
                // mdBook turns the page at an arrow key.
                event.preventDefault();
                event.stopPropagation();
                this.pick(next);
                this.tabs[next].focus();
            }
        }

        pick(index) {
            choose(this.panels[index].dataset.language);
            document.querySelectorAll('listing-tabs').forEach(other => other.follow(this.panels[index].dataset.language));
        }

        follow(language) {
            const index = this.panels.findIndex(panel => panel.dataset.language === language);
            if (index >= 0 && this.tabs) {
                this.show(index);
            }
        }

        show(index) {
            this.panels.forEach((panel, other) => { panel.hidden = other !== index; });
            this.tabs.forEach((tab, other) => {
                tab.setAttribute('aria-selected', String(other === index));
                tab.tabIndex = other === index ? 0 : -1;
            });
        }
    }
    customElements.define('listing-tabs', ListingTabs);
})();
