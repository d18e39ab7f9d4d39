/** The headless Chromium in which tests open pages. */
import { pathToFileURL } from 'node:url';
import chromium from '@sparticuz/chromium';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

/** Starts it; the test closes it. */
export async function launchBrowser(): Promise<Browser> {
  return puppeteer.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args, '--no-sandbox'],
    headless: 'shell',
  });
}

/** A page with its requests, and its errors and everything that it writes to the console. */
export interface OpenPage {
  readonly page: Page;
  readonly requests: string[];
  readonly errors: string[];
}

export interface HowToOpen {
  /** @default - 1280 pixels */
  readonly width?: number;
  /** `networkidle0` waits for requests after the page has loaded, too. @default - `load` */
  readonly waitUntil?: 'load' | 'networkidle0';
  /** Runs before any script of the page. @default - nothing */
  readonly before?: string;
}

export async function openPage(browser: Browser, file: string, how: HowToOpen = {}): Promise<OpenPage> {
  const { width = 1280, waitUntil = 'load', before } = how;
  const page = await browser.newPage();
  const requests: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('requestfailed', (request) => errors.push(`${request.url()} ${request.failure()?.errorText}`));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => errors.push(`${message.type()} ${message.text()}`));
  await page.setViewport({ width, height: 900 });
  if (before !== undefined) await page.evaluateOnNewDocument(before);
  await page.goto(pathToFileURL(file).href, { waitUntil });
  return { page, requests, errors };
}

/** Evaluates an expression in the page; a string, because tests have no DOM types. */
export const evaluate = async <T>(page: Page, expression: string): Promise<T> =>
  (await page.evaluate(expression)) as T;
