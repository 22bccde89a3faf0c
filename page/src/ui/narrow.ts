/** Whether this is a phone's width: what a table leaves out then, and how panels stand. */
import { readonly, ref } from 'vue'

const phone = matchMedia('(max-width: 700px)')
const state = ref(phone.matches)
phone.addEventListener('change', ({ matches }) => (state.value = matches))

export const isNarrow = readonly(state)
