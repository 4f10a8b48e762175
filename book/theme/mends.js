// Small mends of mdBook's own pages, so that everybody can use them.
'use strict';
(() => {
    // The button of the contents is a label, which no key reaches and which may not say that it is expanded.
    const toggle = document.getElementById('mdbook-sidebar-toggle');
    if (toggle) {
        toggle.setAttribute('role', 'button');
        toggle.tabIndex = 0;
        toggle.addEventListener('keydown', event => {
            if (event.key === 'Enter' || event.key === ' ') {
                event.preventDefault();
                toggle.click();
            }
        });
    }
    // Code that is wider than its place is scrolled, by the keyboard too. All of it is a stop: what is wider changes with the
    // window and with the fonts, which come late.
    document.querySelectorAll('main pre > code').forEach(code => {
        code.tabIndex = 0;
    });
})();
