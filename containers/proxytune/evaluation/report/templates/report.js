// Comforts of the report where scripts are on: commands can be copied, and images enlarged. Everything is readable without.
for (const block of document.querySelectorAll('pre')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy: ${block.textContent.split('\n')[0]}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(block.textContent.trim());
      button.textContent = 'Copied';
    } catch {
      // Without permission the text is selected, so that Ctrl-C copies it.
      getSelection().selectAllChildren(block);
      button.textContent = 'Press Ctrl-C';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  });
  const around = document.createElement('div');
  around.className = 'copyable';
  block.replaceWith(around);
  around.append(block, button);
}

const dialog = document.createElement('dialog');
dialog.className = 'zoom';
dialog.setAttribute('aria-label', 'Enlarged image');
const large = document.createElement('img');
const caption = document.createElement('p');
dialog.addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => dialog.replaceChildren());
document.body.append(dialog);

for (const image of document.querySelectorAll('a > img')) {
  const link = image.parentElement;
  const enlarge = (event) => {
    // A click that would open a new tab or window still does.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    large.src = link.href || image.src;
    large.alt = image.alt;
    large.className = image.className;
    caption.textContent = image.alt;
    dialog.replaceChildren(large, caption);
    dialog.showModal();
  };
  link.addEventListener('click', enlarge);
  if (link.href) continue;
  // In a single file the image is not a file of its own, and the link has no address.
  link.tabIndex = 0;
  link.setAttribute('role', 'button');
  link.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === ' ') enlarge(event);
  });
}
