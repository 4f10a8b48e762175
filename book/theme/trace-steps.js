// <trace-steps>: a table that can be gone through row by row, by its buttons or by the arrow keys.
// The words are the page's: those of the buttons, and those of the rows, which are read aloud.
'use strict';
(() => {
    class TraceSteps extends HTMLElement {
        connectedCallback() {
            this.rows = [...this.querySelectorAll('tbody tr')];
            this.controls = this.querySelector('.controls');
            this.live = this.querySelector('output');
            if (!this.controls || this.rows.length === 0) {
                return;
            }
            this.at = -1;
            this.controls.hidden = false;
            this.controls.addEventListener('click', event => {
                const go = event.target.dataset && event.target.dataset.go;
                if (go) {
                    this.go(go);
                }
            });
            this.controls.addEventListener('keydown', event => {
                const go = { ArrowRight: 'next', ArrowDown: 'next', ArrowLeft: 'back', ArrowUp: 'back', Home: 'first', End: 'last' }[event.key];
                if (go) {
                    // mdBook turns the page at an arrow key.
                    event.preventDefault();
                    event.stopPropagation();
                    this.go(go);
                }
            });
            this.mark();
        }

        go(where) {
            const last = this.rows.length - 1;
            const to = { first: 0, back: this.at - 1, next: this.at + 1, last }[where];
            this.at = Math.min(Math.max(to, 0), last);
            this.mark();
            const row = this.rows[this.at];
            const words = [...row.cells].map(cell => cell.textContent.trim()).filter(text => text);
            const place = document.createElement('span');
            place.textContent = `${this.at + 1} / ${this.rows.length}`;
            const read = document.createElement('span');
            read.className = 'visually-hidden';
            read.textContent = ` ${words.join('. ')}`;
            this.live.replaceChildren(place, read);
            this.keepInSight(row);
        }

        mark() {
            this.rows.forEach((row, index) => {
                if (index === this.at) {
                    row.setAttribute('aria-current', 'step');
                } else {
                    row.removeAttribute('aria-current');
                }
            });
            const off = { first: this.at === 0, back: this.at <= 0, next: this.at === this.rows.length - 1, last: this.at === this.rows.length - 1 };
            this.controls.querySelectorAll('button').forEach(button => {
                button.setAttribute('aria-disabled', String(off[button.dataset.go]));
            });
        }

        // Below the buttons, which stay at the top of the window.
        keepInSight(row) {
            const bounds = row.getBoundingClientRect();
            const top = this.controls.getBoundingClientRect().bottom;
            if (bounds.top < top || bounds.bottom > window.innerHeight) {
                row.scrollIntoView({ block: 'center', behavior: 'auto' });
            }
        }
    }
    customElements.define('trace-steps', TraceSteps);
})();
