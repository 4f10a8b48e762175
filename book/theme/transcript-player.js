// <transcript-player>: a recorded session on a stage. The table has everything; a step shows the screens, the lists and
// the queues as they were then. Its steps and keys are those of <trace-steps>.
'use strict';
(() => {
    class TranscriptPlayer extends customElements.get('trace-steps') {
        connectedCallback() {
            this.stage = this.querySelector('.stage');
            super.connectedCallback();
            if (this.stage && this.controls) {
                this.stage.hidden = false;
                this.querySelector('details').open = false;
                // An empty stage says nothing: it opens with the first step.
                this.at = 0;
                this.mark();
            }
        }

        go(where) {
            if (where !== 'turn') {
                return super.go(where);
            }
            const later = this.rows.findIndex((row, index) => index > this.at && row.hasAttribute('data-turn'));
            this.at = (later < 0 ? this.rows.length : later) - 1;
            return super.go('next');
        }

        mark() {
            super.mark();
            const ahead = this.rows.some((row, index) => index > this.at && row.hasAttribute('data-turn'));
            this.controls.querySelector('[data-go="turn"]').setAttribute('aria-disabled', String(!ahead));
            const past = this.rows.slice(0, this.at + 1);
            const now = past.at(-1);
            this.stage.querySelector('.now').replaceChildren(...(now ? this.copy(now.cells[0], '.what, code') : []));
            this.stage.querySelectorAll('[data-screen]').forEach(screen => {
                const own = past.filter(row => row.dataset.terminal === screen.dataset.screen);
                screen.replaceChildren(...own.flatMap(row => this.copy(row, 'samp').flatMap(line => [line, '\n'])));
                screen.scrollTop = screen.scrollHeight;
                const last = screen.querySelector('samp:last-of-type');
                if (last && now && now.dataset.terminal === screen.dataset.screen && now.querySelector('samp')) {
                    last.classList.add('new');
                }
            });
            ['lists', 'queues'].forEach((panel, index) => {
                const last = past.findLast(row => row.cells[index + 1].childElementCount > 0);
                const place = this.stage.querySelector(`[data-panel="${panel}"]`);
                place.replaceChildren(...(last ? [...last.cells[index + 1].childNodes].map(node => node.cloneNode(true)) : []));
                place.classList.toggle('new', last !== undefined && last === now);
            });
        }

        copy(within, selector) {
            return [...within.querySelectorAll(selector)].map(found => found.cloneNode(true));
        }

        // The stage stays where it is.
        keepInSight() {}
    }
    customElements.define('transcript-player', TranscriptPlayer);
})();
