// Before anything is painted: the colours that were chosen last time.

const remembered = localStorage.getItem("theme");
if (remembered === "dark" || remembered === "light") document.documentElement.dataset.theme = remembered;
