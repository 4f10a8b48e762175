// Small mends of mdBook's own pages, so that everybody can use them.
'use strict';
(() => {
    // A label that is no button, with a role of one: what it does is done by the checkbox that it names.
    const toggle = document.getElementById('mdbook-sidebar-toggle') || document.getElementById('sidebar-toggle');
    if (toggle && toggle.tagName === 'LABEL' && !toggle.hasAttribute('role')) {
        toggle.setAttribute('role', 'button');
    }
})();
