// <fd-set-steps>: one select at a time, gone through descriptor by descriptor, as the kernel does.
// Its steps and keys are those of <trace-steps>; what is after the call shows when the kernel has come to it.
'use strict';
(() => {
    class FdSetSteps extends customElements.get('trace-steps') {
        mark() {
            super.mark();
            const now = this.rows[Math.max(this.at, 0)].parentElement;
            this.querySelectorAll('tbody').forEach(body => { body.hidden = body !== now; });
            this.rows.forEach((row, index) => row.classList.toggle('pending', index > this.at));
        }
    }
    customElements.define('fd-set-steps', FdSetSteps);
})();
